"""One number that makes a model as sure as it is right."""

import torch
import torch.nn.functional as F
from torch import Tensor

# Where a fit ends that has no best temperature.
LIMITS = (1e-2, 1e2)


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

    with torch.enable_grad():
        optimiser.step(loss)
    temperature = float(log_t.detach().exp())
    if not LIMITS[0] < temperature < LIMITS[1]:
        raise ValueError(
            f'no temperature fits: the best of {N} images tends to '
            f'{temperature:.3g}. With all answers right the surest model is '
            'the best, with answers no better than chance the least sure '
            'one: give more held-out images, or leave the temperature at 1.'
        )
    return temperature
