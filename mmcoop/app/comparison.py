"""The learned prompt beside the hand-written one, on one image."""

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import torch
from torch import Tensor

from mmcoop.apis import Classifier
from mmcoop.evaluation import rejection_score
from mmcoop.models.zero_shot_head import check_template, encode_written

# How many lists of names and templates stay encoded
KEPT = 16


class Answer(NamedTuple):
    """What both prompts say about an image.

    Attributes:
        learned (dict[str, float]): The probability of each class, by the
            learned prompt.
        written (dict[str, float]): Likewise, by the hand-written prompt.
        fit (float | None): How well the image fits the classes as a whole,
            by the learned prompt; higher is better. None where there is one
            class alone, which tells nothing.
        image_features (Tensor): (1, E) float32, L2-normalised.
    """

    learned: dict[str, float]
    written: dict[str, float]
    fit: float | None
    image_features: Tensor


class Comparison:
    """Answers about images, by a learned prompt and a hand-written one.

    Args:
        classifier (Classifier): What was learned.

    Attributes:
        classifier (Classifier): See above.
        score (dict): What ``fit`` is: ``kind`` and ``temperature`` of
            :func:`mmcoop.evaluation.rejection_score`, as calibrated, else
            maximum concept matching at temperature 1.
    """

    def __init__(self, classifier: Classifier) -> None:
        self.classifier = classifier
        measured = classifier.rejection or dict(score='mcm', temperature=1.0)
        self.score = dict(
            kind=measured['score'], temperature=measured['temperature']
        )
        self._with_names = lru_cache(KEPT)(classifier.with_classes)
        self._written = lru_cache(KEPT)(self._encode_written)

    @property
    def takes_names(self) -> bool:
        """Whether other names can be asked for: not with CSC."""
        learner = getattr(self.classifier.model.head, 'prompt_learner', None)
        return learner is None or not learner.class_specific

    @property
    def threshold(self) -> float | None:
        """The fit below which an image is none of the learned classes."""
        rejection = self.classifier.rejection
        return None if rejection is None else rejection['threshold']

    @torch.no_grad()
    def answer(
        self, image: str, class_names: Sequence[str], template: str
    ) -> Answer:
        """Ask both prompts.

        Args:
            image (str): Path of the image.
            class_names (Sequence[str]): K names.
            template (str): The hand-written prompt, with ``{}`` where the
                name goes.

        Returns:
            Answer: For all K names.

        Raises:
            ValueError: If the image cannot be read, the template has no
                ``{}``, or a name is empty, occurs twice or is too long.
        """
        names, template = tuple(class_names), check_template(template)
        if not names:
            raise ValueError(
                'there are no class names: give at least one, a line each.'
            )
        classifier = self.classifier
        if names != classifier.class_names:
            classifier = self._with_names(names)
        features = classifier.image_features(image)
        scale = classifier.model.head.text_encoder.logit_scale.float().exp()
        written = scale * features @ self._written(template, names).T
        return Answer(
            dict(zip(names, _row(classifier.scores(features)), strict=True)),
            dict(zip(names, _row(written.softmax(dim=1)), strict=True)),
            self.fit(features @ classifier.text_features.T),
            features.cpu(),
        )

    def fit(self, cosines: Tensor) -> float | None:
        """Score how well an image fits the classes as a whole.

        Args:
            cosines (Tensor): (1, K), with the text features.

        Returns:
            float | None: See :class:`Answer`.
        """
        if cosines.shape[1] == 1 and self.score['kind'] == 'mcm':
            return None
        return rejection_score(cosines, **self.score).item()

    def _encode_written(
        self, template: str, class_names: tuple[str, ...]
    ) -> Tensor:
        """Give (K, E) text features of a hand-written prompt."""
        encoder = self.classifier.model.head.text_encoder
        return encode_written(encoder, template, class_names)


def _row(scores: Tensor) -> list[float]:
    return scores[0].tolist()
