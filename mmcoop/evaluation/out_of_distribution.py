"""Tell images of known classes from all others."""

from collections.abc import Sequence
from typing import Any

import torch
from mmengine.evaluator import BaseMetric

from mmcoop.registry import METRICS

from .rejection import check_score, rejection_score
from .separation import auroc, average_precision, false_positive_rate


@METRICS.register_module()
class OutOfDistribution(BaseMetric):
    """How well known images are told from unknown ones, in percent.

    An image is unknown if the model has no name for its label: the label is
    K or more, as in a data set with more classes, or below 0, as in
    :class:`mmcoop.Unknown`.

    Reports, each better if higher but for ``fpr95``:

    - ``auroc``: area under the receiver operating characteristic; 50 is
      chance;
    - ``aupr_in``, ``aupr_out``: area under the precision-recall curve of
      finding the known and the unknown; chance is their share;
    - ``fpr95``: unknown images accepted where 95 % of the known are;
    - with a threshold, ``accepted``: known images accepted, and
      ``rejected``: unknown images rejected.

    Args:
        score (str): 'mcm' or 'energy', see :func:`rejection_score`.
        temperature (float, optional): Of the score. None is 1 for 'mcm';
            'energy' needs one, usually ``exp(-logit_scale)`` of the CLIP.
        threshold (float, optional): As ``tools/calibrate.py`` has found it.
        prefix (str, optional): Before the names of the results; None is the
            name of the score.
        collect_device (str): Where ranks put their results together.

    Raises:
        ValueError: If there is no such score, or an energy without a
            temperature.
    """

    def __init__(
        self,
        score: str = 'mcm',
        temperature: float | None = None,
        threshold: float | None = None,
        prefix: str | None = None,
        collect_device: str = 'cpu',
    ) -> None:
        super().__init__(collect_device, prefix or score)
        if temperature is None and score == 'energy':
            raise ValueError(
                "score='energy' needs a temperature: 1 / exp(logit_scale) of "
                "the CLIP, which is 0.01 for OpenAI's."
            )
        self.temperature = 1.0 if temperature is None else temperature
        self.score = score
        self.threshold = threshold
        check_score(score, self.temperature)

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Keep the score of each image, and whether it is known.

        Args:
            data_batch: Not used.
            data_samples (Sequence[dict]): With ``cosines``, (K,), and
                ``gt_label``.

        Raises:
            ValueError: If a sample has no cosine similarities.
        """
        for sample in data_samples:
            if 'cosines' not in sample:
                raise ValueError(
                    'the predictions hold no cosine similarities: evaluate a '
                    'model with a CoOpHead or a ZeroShotHead, without --tta.'
                )
            cosines = sample['cosines'][None]
            score = rejection_score(cosines, self.score, self.temperature)
            label = int(sample['gt_label'])
            known = 0 <= label < cosines.shape[1]
            self.results.append((float(score), known))

    def compute_metrics(self, results: list[tuple]) -> dict[str, float]:
        """Compare the scores of known and unknown images.

        Args:
            results (list[tuple]): A score and whether it is of a known
                image, for each image.

        Returns:
            dict[str, float]: In percent.

        Raises:
            ValueError: If all images are known, or all are unknown.
        """
        scores = torch.tensor([score for score, _ in results])
        is_known = torch.tensor([known for _, known in results])
        known, unknown = scores[is_known], scores[~is_known]
        metrics = dict(
            auroc=auroc(known, unknown),
            aupr_in=average_precision(known, unknown),
            aupr_out=average_precision(-unknown, -known),
            fpr95=false_positive_rate(known, unknown),
        )
        if self.threshold is not None:
            metrics['accepted'] = float(
                (known >= self.threshold).float().mean()
            )
            metrics['rejected'] = float(
                (unknown < self.threshold).float().mean()
            )
        return {name: 100 * value for name, value in metrics.items()}
