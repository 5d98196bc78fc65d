"""One number that makes a model as sure as it is right."""

import torch
import torch.nn.functional as F
from torch import Tensor


def fit_temperature(logits: Tensor, labels: Tensor) -> float:
    """Find what to divide logits by, so that the labels are most likely.

    Guo et al., "On Calibration of Modern Neural Networks", ICML 2017. No
    answer changes, only how sure it is.

    Args:
        logits (Tensor): (N, K), of images that nothing was learned from.
        labels (Tensor): (N,) int64, each in 0 to K - 1.

    Returns:
        float: The temperature; above 1 if the model was too sure.

    Raises:
        ValueError: If there is no image or one class only, a label is out of
            range, or no temperature is best.
    """
    N, K = logits.shape
    if N == 0 or K < 2:
        raise ValueError(
            f'there are {N} images and {K} classes to fit a temperature to: '
            'give labelled images of at least two classes.'
        )
    if not ((labels >= 0) & (labels < K)).all():
        raise ValueError(
            f'the labels are from {int(labels.min())} to '
            f'{int(labels.max())}, but there are {K} classes: give images of '
            'known classes alone.'
        )
    logits = logits.detach().double()
    _check_minimum(logits, labels)
    # Its logarithm: a temperature is above 0.
    log_t = torch.zeros((), dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.LBFGS(
        [log_t], max_iter=100, line_search_fn='strong_wolfe'
    )

    def loss() -> Tensor:
        optimiser.zero_grad()
        value = F.cross_entropy(logits / log_t.exp(), labels)
        value.backward()
        return value

    optimiser.step(loss)
    return float(log_t.detach().exp())


def _check_minimum(logits: Tensor, labels: Tensor) -> None:
    """Refuse labels that the limits 0 or infinity would fit best."""
    of_label = logits.gather(1, labels[:, None])[:, 0]
    if (of_label == logits.amax(dim=1)).all():
        raise ValueError(
            f'no temperature fits: all {len(labels)} answers are right, and '
            'no confidence is too high for that. Give more held-out images, '
            'or leave probabilities as they are.'
        )
    # The likelihood is concave in the inverse temperature, and falls from 0
    # on if labels have no more than the average logit.
    if of_label.mean() <= logits.mean():
        raise ValueError(
            f'no temperature fits: the answers to {len(labels)} images are '
            'no better than chance. Are the labels those of the class names?'
        )
