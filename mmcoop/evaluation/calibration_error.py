"""Does a confidence of 80 % mean that 80 % of such answers are right?"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from mmengine.evaluator import BaseMetric
from torch import Tensor

from mmcoop.registry import METRICS


class Bins(NamedTuple):
    """Images by confidence, in bins of the same width from 0 to 1.

    Attributes:
        counts (Tensor): (B,) float64, images in each bin.
        confidence (Tensor): (B,) float64, their mean confidence; 0 if none.
        accuracy (Tensor): (B,) float64, the share that is right; 0 if none.
    """

    counts: Tensor
    confidence: Tensor
    accuracy: Tensor


def confidence_bins(
    confidence: Tensor, right: Tensor, num_bins: int = 15
) -> Bins:
    """Sort images into bins by confidence.

    Args:
        confidence (Tensor): (N,), each in 0 to 1.
        right (Tensor): (N,) bool, whether the answer is right.
        num_bins (int): B. A confidence on a border is in the lower bin.

    Returns:
        Bins: What is in them.

    Raises:
        ValueError: If there is no image, or a number is out of range.
    """
    if num_bins < 1:
        raise ValueError(f'num_bins is {num_bins}: give at least 1.')
    if confidence.numel() == 0:
        raise ValueError(
            'there are no images of known classes to compare confidence and '
            'accuracy on: give labelled images.'
        )
    if not ((confidence >= 0) & (confidence <= 1)).all():
        raise ValueError(
            'a confidence is outside 0 to 1: give the largest softmax of '
            'each image, not its logit.'
        )
    confidence = confidence.double()
    index = ((confidence * num_bins).ceil().long() - 1).clamp(min=0)

    def sums(values: Tensor) -> Tensor:
        return values.new_zeros(num_bins).index_add(0, index, values)

    counts = sums(torch.ones_like(confidence))
    return Bins(
        counts,
        sums(confidence) / counts.clamp(min=1),
        sums(right.double()) / counts.clamp(min=1),
    )


def expected_calibration_error(
    confidence: Tensor, right: Tensor, num_bins: int = 15
) -> float:
    """Compute the mean distance of confidence and accuracy.

    Guo et al., "On Calibration of Modern Neural Networks", ICML 2017.

    Args:
        confidence (Tensor): (N,), each in 0 to 1.
        right (Tensor): (N,) bool.
        num_bins (int): B, of the same width.

    Returns:
        float: In 0 to 1; bins count by the images in them.

    Raises:
        ValueError: See :func:`confidence_bins`.
    """
    bins = confidence_bins(confidence, right, num_bins)
    distance = (bins.confidence - bins.accuracy).abs()
    return float((bins.counts * distance).sum() / bins.counts.sum())


@METRICS.register_module()
class CalibrationError(BaseMetric):
    """Expected calibration error, mean confidence and accuracy, in percent.

    Images that the model has no name for, see :class:`OutOfDistribution`,
    are left out: no answer would be right.

    Args:
        num_bins (int): See :func:`expected_calibration_error`.
        temperature (float): What the logits are divided by first, as
            ``tools/calibrate.py`` has found it.
        prefix (str, optional): Before the names of the results.
        collect_device (str): Where ranks put their results together.

    Raises:
        ValueError: If a number is out of range.
    """

    default_prefix = 'calibration'

    def __init__(
        self,
        num_bins: int = 15,
        temperature: float = 1.0,
        prefix: str | None = None,
        collect_device: str = 'cpu',
    ) -> None:
        super().__init__(collect_device, prefix)
        if not temperature > 0:
            raise ValueError(
                f'the temperature is {temperature}: give a number above 0; 1 '
                'changes nothing.'
            )
        self.num_bins = num_bins
        self.temperature = temperature

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Keep how sure the model is of each image, and whether rightly.

        Args:
            data_batch: Not used.
            data_samples (Sequence[dict]): With ``pred_score``, (K,), and
                ``gt_label``.
        """
        for sample in data_samples:
            label, scores = int(sample['gt_label']), sample['pred_score']
            if not 0 <= label < len(scores):
                continue
            # The logarithm is the logits again, but for a constant.
            scores = (scores.log() / self.temperature).softmax(0)
            confidence, answer = scores.max(0)
            self.results.append((float(confidence), int(answer) == label))

    def compute_metrics(self, results: list[tuple]) -> dict[str, float]:
        """Compare confidence and accuracy.

        Args:
            results (list[tuple]): A confidence and whether the answer is
                right, for each known image.

        Returns:
            dict[str, float]: ``ece``, ``confidence`` and ``accuracy``.
        """
        confidence = torch.tensor([item[0] for item in results])
        right = torch.tensor([item[1] for item in results])
        ece = expected_calibration_error(confidence, right, self.num_bins)
        return dict(
            ece=100 * ece,
            confidence=100 * float(confidence.mean()),
            accuracy=100 * float(right.float().mean()),
        )
