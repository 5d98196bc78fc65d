"""Classify images with what a checkpoint has learned."""

import copy
from collections.abc import Callable, Iterable, Iterator, Sequence, Sized
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import Any

import torch
from mmengine.config import Config
from mmengine.dataset import default_collate
from mmengine.logging import print_log
from mmpretrain.models import ImageClassifier
from torch import Tensor
from tqdm import tqdm

from mmcoop.evaluation.rejection import rejection_score

from .images import (
    ImageError,
    ImageLike,
    list_images,
    name_images,
    to_sample,
    why_unreadable,
)
from .prediction import NONE_OF_THESE, Prediction

# Work that takes no longer has no progress bar.
SILENT_SECONDS = 3


@dataclass(frozen=True)
class _Batch:
    """Images that were encoded at once.

    Attributes:
        sources (list[str]): What the images are called.
        errors (list[str | None]): What is wrong with them.
        raw_features (Tensor): (n, E), of the images without an error.
    """

    sources: list[str]
    errors: list[str | None]
    raw_features: Tensor


class _Progress(tqdm):
    """A bar without the thread that tqdm keeps for all later ones.

    The thread would be there when a data loader forks its workers.
    """

    monitor_interval = 0


class Classifier:
    """A learned prompt at work; :func:`mmcoop.load` makes one.

    Args:
        model (ImageClassifier): With a head of mmcoop.
        pipeline (Callable): Prepares an image as in the model's test:
            ``dict(img_path=…)``, or ``dict(img=…)`` with an array (height,
            width, 3) of uint8 in BGR order, becomes ``dict(inputs=…)``.
        cfg (Config): That the model was trained with.
        rejection (dict, optional): What is 'none of these': ``score``,
            ``temperature`` and ``threshold``, see
            :func:`mmcoop.evaluation.rejection.rejection_score`. None:
            nothing is. Defaults to None.
        temperature (float): Divides the logits, for probabilities that are
            calibrated. Defaults to 1.0.

    Attributes:
        model (ImageClassifier): In eval mode.
        pipeline (Callable): See above.
        cfg (Config): See above.
        rejection (dict, optional): See above.
        temperature (float): See above.
    """

    def __init__(
        self,
        model: ImageClassifier,
        pipeline: Callable[[dict], dict],
        cfg: Config,
        rejection: dict[str, Any] | None = None,
        temperature: float = 1.0,
    ):
        self.model = model.eval()
        self.pipeline = pipeline
        self.cfg = cfg
        self.rejection = rejection
        self.temperature = temperature

    def __repr__(self) -> str:
        names = self.class_names
        shown = ', '.join(names[:3]) + ', …' * (len(names) > 3)
        clip = self.model.head.text_encoder.name
        return f'Classifier({clip}, {len(names)} classes: {shown})'

    @property
    def class_names(self) -> tuple[str, ...]:
        """K names, in label order."""
        return self.model.head.class_names

    @property
    def device(self) -> torch.device:
        """Where it computes."""
        return self.model.data_preprocessor.device

    @property
    @torch.no_grad()
    def text_features(self) -> Tensor:
        """(K, E) float32, L2-normalised; computed once."""
        return self.model.head.text_features

    def with_classes(self, class_names: Sequence[str]) -> 'Classifier':
        """Apply what was learned to other names, without training.

        What was measured with the old names, the threshold for 'none of
        these' and the calibration, does not hold for others: the new
        classifier has neither.

        Args:
            class_names (Sequence[str]): K names, in label order.

        Returns:
            Classifier: It shares the towers with this one, which stays as it
            is.

        Raises:
            TypeError: If these are no names.
            ValueError: If the context is class-specific; or a name is empty,
                occurs twice or is too long.
        """
        if isinstance(class_names, str):
            raise TypeError(
                f'class_names is {class_names!r}: give a list of names, like '
                f'[{class_names!r}, …].'
            )
        head = self.model.head
        learner = getattr(head, 'prompt_learner', None)
        if learner is not None and learner.class_specific:
            raise ValueError(
                'the context is class-specific (CSC): it has vectors for '
                f'each of the {len(self.class_names)} classes that it was '
                'learned for, and none for others. Train a unified context '
                '(class_specific=False) to apply it to new names.'
            )
        towers = self.model.backbone, head.text_encoder
        model = copy.deepcopy(self.model, {id(part): part for part in towers})
        model.head.set_class_names(class_names)
        if self.rejection is not None or self.temperature != 1:
            print_log(
                'with_classes: the threshold and calibration measured with '
                'the old names are left out; tools/calibrate.py measures '
                'them for new ones.',
                logger='current',
            )
        return Classifier(model, self.pipeline, self.cfg)

    def predict(
        self,
        images: ImageLike | Iterable[ImageLike],
        batch_size: int = 32,
        top_k: int = 1,
    ) -> list[Prediction]:
        """Name what images show.

        Args:
            images (ImageLike | Iterable[ImageLike]): A path; a folder, whose
                images and those of its subfolders are taken in sorted order;
                a Pillow image; an array (height, width, 3) of uint8 in BGR
                order, as OpenCV and mmcv read images and mmpretrain's
                inferencers take them (for RGB, ``Image.fromarray(rgb)``); or
                an iterable of these, which may be longer than memory.
            batch_size (int): Images at a time. Defaults to 32.
            top_k (int): How many classes to list for each. Defaults to 1.

        Returns:
            list[Prediction]: One per image, in their order. One that cannot
            be read has an ``error``; the others have their answer.

        Raises:
            TypeError: If these are no images.
            ValueError: If the folder has no images, or a number is below 1.
        """
        _check_positive(top_k=top_k)
        predictions = []
        for batch in self._encode(images, batch_size):
            predictions += self._name(batch, min(top_k, len(self.class_names)))
        return predictions

    def image_features(
        self, images: ImageLike | Iterable[ImageLike], batch_size: int = 32
    ) -> Tensor:
        """Encode images.

        Args:
            images (ImageLike | Iterable[ImageLike]): See :meth:`predict`.
            batch_size (int): Images at a time. Defaults to 32.

        Returns:
            Tensor: (N, E) float32, L2-normalised.

        Raises:
            TypeError: As :meth:`predict`.
            ValueError: As :meth:`predict`; or if an image cannot be read.
        """
        features = [self.text_features[:0]]
        for batch in self._encode(images, batch_size):
            for source, error in zip(batch.sources, batch.errors, strict=True):
                if error is not None:
                    raise ValueError(f'{source}: {error}')
            features.append(self._normalise(batch.raw_features))
        return torch.cat(features)

    @torch.no_grad()
    def scores(self, image_features: Tensor) -> Tensor:
        """Compare images with all classes.

        Args:
            image_features (Tensor): (N, E), of any length.

        Returns:
            Tensor: (N, K) float32 probabilities.
        """
        logits = self.model.head((image_features.to(self.device),))
        return (logits / self.temperature).softmax(dim=1)

    @torch.no_grad()
    def _encode(
        self, images: ImageLike | Iterable[ImageLike], batch_size: int
    ) -> Iterator[_Batch]:
        _check_positive(batch_size=batch_size)
        images = list_images(images)
        named = name_images(images)
        total = len(images) if isinstance(images, Sized) else None
        # Images are read side by side, since that takes longer than encoding.
        with (
            ThreadPoolExecutor() as pool,
            _Progress(
                total=total, unit=' images', delay=SILENT_SECONDS
            ) as bar,
        ):
            while chunk := list(islice(named, batch_size)):
                sources, found = zip(*chunk, strict=True)
                prepared = list(pool.map(self._prepare, found))
                errors = [e if isinstance(e, str) else None for e in prepared]
                samples = [s for s in prepared if not isinstance(s, str)]
                yield _Batch(sources, errors, self._encode_samples(samples))
                bar.update(len(chunk))

    def _prepare(self, image: ImageLike | ImageError) -> dict | str:
        """Give the pipeline's sample, or what is wrong with the image."""
        try:
            if isinstance(image, ImageError):
                raise image
            return self.pipeline(to_sample(image))
        # Decoders raise errors of all kinds, and none may stop the rest.
        except Exception as error:
            return why_unreadable(error)

    def _encode_samples(self, samples: list[dict]) -> Tensor:
        if not samples:
            return self.text_features[:0]
        data = self.model.data_preprocessor(default_collate(samples))
        return self.model.extract_feat(data['inputs'])[-1]

    def _name(self, batch: _Batch, top_k: int) -> Iterator[Prediction]:
        scores, labels = self.scores(batch.raw_features).topk(top_k)
        rows = zip(
            scores.tolist(),
            labels.tolist(),
            self._is_rejected(batch.raw_features),
            strict=True,
        )
        for source, error in zip(batch.sources, batch.errors, strict=True):
            if error is not None:
                yield Prediction(source, error=error)
                continue
            scores, labels, rejected = next(rows)
            names = tuple(self.class_names[label] for label in labels)
            yield Prediction(
                source,
                name=NONE_OF_THESE if rejected else names[0],
                score=scores[0],
                label=None if rejected else labels[0],
                names=names,
                scores=tuple(scores),
                rejected=rejected,
            )

    def _is_rejected(self, raw_features: Tensor) -> list[bool]:
        if self.rejection is None:
            return [False] * len(raw_features)
        fits = rejection_score(
            self._normalise(raw_features) @ self.text_features.T,
            self.rejection['score'],
            self.rejection['temperature'],
        )
        return (fits < self.rejection['threshold']).tolist()

    def _normalise(self, raw_features: Tensor) -> Tensor:
        return self.model.head.pre_logits((raw_features,))


def _check_positive(**numbers: int) -> None:
    for name, number in numbers.items():
        if not isinstance(number, int) or number < 1:
            raise ValueError(
                f'{name} is {number!r}: give a whole number from 1 on.'
            )
