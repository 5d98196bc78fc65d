"""How well a score tells known images from unknown ones, at any threshold.

Computed from all thresholds at which something changes, so that images of the
same score are counted together and the results are exact.
"""

import torch
from torch import Tensor


def auroc(known: Tensor, unknown: Tensor) -> float:
    """Compute the area under the receiver operating characteristic.

    Args:
        known (Tensor): (N,), scores of images of known classes.
        unknown (Tensor): (N',), scores of the others.

    Returns:
        float: In 0 to 1: how often a known image has a higher score than an
        unknown one, where a tie counts half. 0.5 is chance.

    Raises:
        ValueError: If one of them is empty, or has what is not a number.
    """
    accepted_known, accepted_unknown = _rates(known, unknown)
    return float(torch.trapezoid(accepted_known, accepted_unknown))


def average_precision(positive: Tensor, negative: Tensor) -> float:
    """Compute the area under the precision-recall curve, by steps.

    Args:
        positive (Tensor): (N,), scores of what is to be found.
        negative (Tensor): (N',), scores of the rest.

    Returns:
        float: In 0 to 1. Chance is the share of positives.

    Raises:
        ValueError: As :func:`auroc` does.
    """
    recall, fallout = _rates(positive, negative)
    found = recall * len(positive)
    # The first point accepts nothing, and has no precision.
    precision = (found / (found + fallout * len(negative)))[1:]
    return float((recall.diff() * precision).sum())


def false_positive_rate(
    known: Tensor, unknown: Tensor, true_positive_rate: float = 0.95
) -> float:
    """Compute how many unknown images are accepted with most known ones.

    Args:
        known (Tensor): (N,), scores of images of known classes.
        unknown (Tensor): (N',), scores of the others.
        true_positive_rate (float): The share of known images to accept.

    Returns:
        float: In 0 to 1, at the highest threshold that accepts at least
        this share.

    Raises:
        ValueError: As :func:`auroc` does.
    """
    accepted_known, accepted_unknown = _rates(known, unknown)
    # Rates are quotients: 19 / 20 must count as 0.95.
    enough = accepted_known >= true_positive_rate - 1e-9
    return float(accepted_unknown[enough][0])


def _rates(positive: Tensor, negative: Tensor) -> tuple[Tensor, Tensor]:
    """Give the shares at or above each threshold, from the highest on.

    Returns:
        tuple[Tensor, Tensor]: (T + 1,) float64 each, of positives and of
        negatives; both begin with 0.
    """
    if positive.numel() == 0 or negative.numel() == 0:
        raise ValueError(
            f'there are {positive.numel()} images on one side and '
            f'{negative.numel()} on the other: telling known from unknown '
            'images needs both. Known images have labels from 0 to K - 1, '
            'unknown ones others.'
        )
    scores = torch.cat([positive, negative])
    if scores.isnan().any():
        raise ValueError(
            f'{int(scores.isnan().sum())} of {scores.numel()} scores are not '
            'numbers: look for broken images or weights.'
        )
    thresholds = scores.unique().flip(0)
    return _share_reaching(positive, thresholds), _share_reaching(
        negative, thresholds
    )


def _share_reaching(scores: Tensor, thresholds: Tensor) -> Tensor:
    below = torch.searchsorted(scores.sort().values, thresholds)
    reaching = (len(scores) - below).double() / len(scores)
    return torch.cat([reaching.new_zeros(1), reaching])
