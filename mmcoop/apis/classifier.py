"""Classify images with what a checkpoint has learned."""

import copy
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice

import torch
from mmengine.config import Config
from mmengine.dataset import default_collate
from mmengine.logging import print_log
from mmpretrain.models import ImageClassifier
from torch import Tensor
from tqdm import tqdm

from .images import Found, ImageLike, count_images, find_images, to_sample
from .prediction import NONE_OF_THESE, Prediction

# Shorter work has no progress bar.
SILENT_SECONDS = 3


class Classifier:
    """A learned prompt at work; :func:`mmcoop.load` makes one.

    Args:
        model (ImageClassifier): With a head that compares images with names.
        pipeline (Callable): Prepares an image as the model was tested:
            ``dict(img_path=…)``, or ``dict(img=…)`` with an array (height,
            width, 3) of uint8 in BGR order, becomes ``dict(inputs=…)``.
        cfg (Config): That the model was trained with.
        rejection (dict, optional): What is 'none of these': ``score``,
            ``temperature`` and ``threshold``. None: nothing is. Defaults to
            None.
        temperature (float): Divides the logits, so that probabilities are
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
        rejection: dict | None = None,
        temperature: float = 1.0,
    ):
        self.model = model.eval()
        self.pipeline = pipeline
        self.cfg = cfg
        self.rejection = rejection
        self.temperature = temperature

    def __repr__(self) -> str:
        clip = self.model.head.text_encoder.name
        names = self.class_names
        shown = ', '.join(names[:3]) + ', …' * (len(names) > 3)
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
    def text_features(self) -> Tensor:
        """(K, E) float32, L2-normalised; computed once."""
        with torch.no_grad():
            return self.model.head.text_features

    def with_classes(self, class_names: Sequence[str]) -> 'Classifier':
        """Apply what was learned to other names, without training.

        A threshold for 'none of these' belongs to the names that it was
        measured with: the new classifier has none.

        Args:
            class_names (Sequence[str]): One or more names, in label order.

        Returns:
            Classifier: It shares the towers with this one, which stays as it
            is.

        Raises:
            ValueError: If the context is class-specific; or a name is empty,
                occurs twice or is too long.
        """
        if isinstance(class_names, str):
            raise TypeError(
                f'class_names is the text {class_names!r}: give a list of '
                f'names, like [{class_names!r}, …].'
            )
        class_names = tuple(class_names)
        head = self.model.head
        learner = getattr(head, 'prompt_learner', None)
        if learner is not None and learner.class_specific:
            raise ValueError(
                'the context is class-specific (CSC): it has vectors for '
                f'each of the {len(self.class_names)} classes that it was '
                'learned for, and none for others. Train a unified context '
                '(class_specific=False) to apply it to new names.'
            )
        shared = (self.model.backbone, head.text_encoder)
        model = copy.deepcopy(self.model, {id(part): part for part in shared})
        model.head.set_class_names(class_names)
        if self.rejection is not None:
            print_log(
                "with_classes: the threshold for 'none of these' was "
                'measured with other names and is left out; '
                'tools/calibrate.py measures one.',
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
                inferencers take them (for RGB: ``Image.fromarray(rgb)``); or
                an iterable of these, also one that never is in memory whole.
            batch_size (int): Images at a time. Defaults to 32.
            top_k (int): How many classes to list for each. Defaults to 1.

        Returns:
            list[Prediction]: One per image, in their order. An image that
            cannot be read has an ``error`` there, and the others an answer.

        Raises:
            TypeError: If these are no images.
            ValueError: If the folder has no images, or a number is below 1.
        """
        _check_positive(batch_size=batch_size, top_k=top_k)
        predictions = []
        with tqdm(
            total=count_images(images),
            unit=' images',
            delay=SILENT_SECONDS,
        ) as bar:
            for batch, features in self._encode(images, batch_size):
                predictions += self._name(batch, features, top_k)
                bar.update(len(batch))
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
            ValueError: As :meth:`predict`; also if an image cannot be read.
        """
        _check_positive(batch_size=batch_size)
        parts = [torch.empty(0, self.text_features.shape[1]).to(self.device)]
        for batch, features in self._encode(images, batch_size):
            for _, error in batch:
                if error is not None:
                    raise ValueError(error)
            parts.append(features)
        return torch.cat(parts)

    @torch.no_grad()
    def scores(self, image_features: Tensor) -> Tensor:
        """Compare images with all classes.

        Args:
            image_features (Tensor): (N, E), L2-normalised.

        Returns:
            Tensor: (N, K) float32 probabilities.
        """
        logits = self.model.head((image_features.to(self.device),))
        return (logits / self.temperature).softmax(dim=-1)

    @torch.no_grad()
    def _encode(
        self, images: ImageLike | Iterable[ImageLike], batch_size: int
    ) -> Iterator[tuple[list[tuple[str, str | None]], Tensor]]:
        """Encode images batch by batch.

        Yields:
            tuple: (name, error) of each image, and the features of those
            without an error.
        """
        found = find_images(images)
        # Reading and resizing images takes longer than encoding them.
        with ThreadPoolExecutor() as pool:
            while batch := list(islice(found, batch_size)):
                prepared = list(pool.map(self._prepare, batch))
                samples = [s for s in prepared if not isinstance(s, str)]
                yield (
                    [
                        (name, sample if isinstance(sample, str) else None)
                        for (name, _), sample in zip(
                            batch, prepared, strict=True
                        )
                    ],
                    self._encode_samples(samples),
                )

    def _prepare(self, found: Found) -> dict | str:
        """Run the pipeline on one image; a string is an error."""
        name, image = found
        try:
            if isinstance(image, Exception):
                raise image
            return self.pipeline(to_sample(image))
        # Whatever is wrong with one image must not stop the others, and
        # decoders raise errors of all kinds.
        except Exception as error:
            text = f'{error}'.strip() or type(error).__name__
            return f'{name}: {text}'

    def _encode_samples(self, samples: list[dict]) -> Tensor:
        if not samples:
            return self.text_features[:0]
        data = self.model.data_preprocessor(default_collate(samples))
        return self.model.extract_feat(data['inputs'], stage='pre_logits')

    def _name(
        self,
        batch: list[tuple[str, str | None]],
        image_features: Tensor,
        top_k: int,
    ) -> Iterator[Prediction]:
        top_k = min(top_k, len(self.class_names))
        scores, labels = self.scores(image_features).topk(top_k)
        rows = zip(
            scores.tolist(),
            labels.tolist(),
            self._is_rejected(image_features),
            strict=True,
        )
        for source, error in batch:
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

    def _is_rejected(self, image_features: Tensor) -> list[bool]:
        if self.rejection is None:
            return [False] * len(image_features)
        from mmcoop.evaluation.rejection import rejection_score

        score = rejection_score(
            image_features @ self.text_features.T,
            self.rejection['score'],
            self.rejection['temperature'],
        )
        return (score < self.rejection['threshold']).tolist()


def _check_positive(**numbers: int) -> None:
    for name, number in numbers.items():
        if not isinstance(number, int) or number < 1:
            raise ValueError(
                f'{name} is {number!r}: give a whole number from 1 on.'
            )
