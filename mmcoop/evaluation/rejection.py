"""Is an image of any of the known classes? Scores, and a threshold on them.

Both scores look at the cosine similarities of an image with the text features
of all known classes; the higher, the more likely it is of one of them.
"""

import math

from torch import Tensor

SCORES = ('mcm', 'energy')


def rejection_score(
    cosines: Tensor, kind: str = 'mcm', temperature: float = 1.0
) -> Tensor:
    """Score how well images fit the known classes.

    - 'mcm', maximum concept matching: Ming et al., "Delving into
      Out-of-Distribution Detection with Vision-Language Representations",
      NeurIPS 2022. The largest softmax of the similarities; the paper's
      temperature is 1.
    - 'energy': Liu et al., "Energy-based Out-of-distribution Detection",
      NeurIPS 2020. Their negative energy at temperature 1 is that of the
      logits, ``exp(logit_scale)`` times the similarities: it is the score
      here at ``temperature = exp(-logit_scale)``, times ``exp(logit_scale)``.

    Args:
        cosines (Tensor): (N, K), cosine similarities in -1 to 1.
        kind (str): 'mcm' or 'energy'.
        temperature (float): What the similarities are divided by.

    Returns:
        Tensor: (N,) float32, higher for known classes. 'mcm' is in 1 / K to
        1, 'energy' is a soft maximum of the similarities.

    Raises:
        ValueError: If there is no such score, the temperature is not above
            0, or there is one class only and the score is 'mcm'.
    """
    check_score(kind, temperature)
    if cosines.dim() != 2 or cosines.shape[1] == 0:
        raise ValueError(
            f'cosines has the shape {tuple(cosines.shape)}: give (N, K), a '
            'row per image and a column per class.'
        )
    scaled = cosines.float() / temperature
    if kind == 'energy':
        return temperature * scaled.logsumexp(dim=1)
    if cosines.shape[1] == 1:
        raise ValueError(
            'there is one class, and the softmax over one class is always 1: '
            "'mcm' would accept every image. Use the score 'energy', or give "
            'at least two classes.'
        )
    return scaled.softmax(dim=1).amax(dim=1)


def check_score(kind: str, temperature: float) -> None:
    """Refuse a score that there is not.

    Args:
        kind (str): See :func:`rejection_score`.
        temperature (float): Likewise.

    Raises:
        ValueError: If one of them cannot be used.
    """
    if kind not in SCORES:
        raise ValueError(
            f'the score is {kind!r}: choose {" or ".join(map(repr, SCORES))}.'
        )
    if not 0 < temperature < math.inf:
        raise ValueError(
            f'the temperature is {temperature}: give a number above 0, like '
            "1 for 'mcm' or 1 / exp(logit_scale), 0.01 for OpenAI's CLIPs, "
            "for 'energy'."
        )


def check_true_accept_rate(true_accept_rate: float) -> None:
    """Refuse what is no share of images to accept.

    Args:
        true_accept_rate (float): See :func:`acceptance_threshold`.

    Raises:
        ValueError: If it is out of range.
    """
    if not 0 < true_accept_rate <= 1:
        raise ValueError(
            f'the true-accept rate is {true_accept_rate}: give the share of '
            'known images to accept, above 0 and up to 1, like 0.95.'
        )


def acceptance_threshold(scores: Tensor, true_accept_rate: float) -> float:
    """Choose the threshold that a share of known images reaches.

    Args:
        scores (Tensor): (N,), of images of known classes that nothing was
            learned from.
        true_accept_rate (float): The share to accept, above 0 and up to 1.

    Returns:
        float: The highest of the scores that at least this share reaches.
        An image is accepted if its score is not below it.

    Raises:
        ValueError: If there is no score, one is not a number, or the share
            is out of range.
    """
    check_true_accept_rate(true_accept_rate)
    if scores.numel() == 0:
        raise ValueError(
            'there are no held-out images to take a threshold from: give '
            'images of the known classes that nothing was learned from.'
        )
    if not scores.isfinite().all():
        raise ValueError(
            f'{int((~scores.isfinite()).sum())} of {scores.numel()} scores '
            'are not finite: look for broken images or weights.'
        )
    # 0.95 * 20 is a little more than 19 in floating point.
    accepted = math.ceil(round(true_accept_rate * scores.numel(), 9))
    ordered = scores.sort(descending=True).values
    return float(ordered[max(accepted, 1) - 1])
