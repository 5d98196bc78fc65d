"""Measure on held-out images how sure to be, and of what to be sure at all."""

import io
from typing import Any, NamedTuple

import torch
from matplotlib.figure import Figure
from torch import Tensor

from mmcoop.engine import load_from_local
from mmcoop.engine.atomic_file import write_atomically
from mmcoop.evaluation import (
    acceptance_threshold,
    confidence_bins,
    expected_calibration_error,
    fit_temperature,
    rejection_score,
)
from mmcoop.evaluation.reliability_diagram import draw_reliability

from .classifier import Classifier
from .held_out import HeldOut


class Answers(NamedTuple):
    """What a classifier says about held-out images.

    Attributes:
        cosines (Tensor): (N, K) float32, similarities with each class.
        logits (Tensor): (N, K) float32, before any temperature.
        labels (list[int | None]): (N,), what is right, where known.
    """

    cosines: Tensor
    logits: Tensor
    labels: list[int | None]


@torch.no_grad()
def answers_to(classifier: Classifier, held_out: HeldOut) -> Answers:
    """Compare held-out images with all classes.

    Args:
        classifier (Classifier): What was learned.
        held_out (HeldOut): Images of its classes.

    Returns:
        Answers: On the CPU.

    Raises:
        ValueError: If an image cannot be read.
    """
    features = classifier.image_features(held_out.paths)
    return Answers(
        (features @ classifier.text_features.T).cpu(),
        classifier.model.head((features,)).cpu(),
        held_out.labels,
    )


def measure_rejection(
    answers: Answers, score: str, temperature: float, true_accept_rate: float
) -> dict[str, Any]:
    """Find the threshold below which an image is 'none of these'.

    Args:
        answers (Answers): To images of known classes.
        score (str): 'mcm' or 'energy'; see :func:`rejection_score`.
        temperature (float): Likewise.
        true_accept_rate (float): The share of these images to accept.

    Returns:
        dict[str, Any]: What a checkpoint keeps as ``meta['rejection']``.

    Raises:
        ValueError: If there are no images, or a number is out of range.
    """
    scores = rejection_score(answers.cosines, score, temperature)
    return dict(
        score=score,
        temperature=temperature,
        threshold=acceptance_threshold(scores, true_accept_rate),
        true_accept_rate=true_accept_rate,
        num_images=len(scores),
    )


def measure_confidence(answers: Answers) -> dict[str, Any]:
    """Find the temperature at which the classifier is as sure as right.

    Args:
        answers (Answers): To labelled images.

    Returns:
        dict[str, Any]: What a checkpoint keeps as ``meta['calibration']``:
        ``temperature``, ``num_images``, and the expected calibration error
        on these images, in 0 to 1, as ``ece_before`` and ``ece_after``.

    Raises:
        ValueError: If an image has no label, or no temperature fits.
    """
    temperature = fit_temperature(answers.logits, _labels(answers))
    before, after = (
        expected_calibration_error(*_confidence(answers, t))
        for t in (1.0, temperature)
    )
    return dict(
        temperature=temperature,
        num_images=len(answers.labels),
        ece_before=before,
        ece_after=after,
    )


def draw_confidence(answers: Answers, temperature: float) -> Figure:
    """Draw reliability before and after temperature scaling.

    Args:
        answers (Answers): To labelled images.
        temperature (float): As :func:`measure_confidence` finds it.

    Returns:
        Figure: Two panels.
    """
    titles = {
        'as learned': 1.0,
        f'at temperature {temperature:.2f}': temperature,
    }
    return draw_reliability(
        {
            title: confidence_bins(*_confidence(answers, t))
            for title, t in titles.items()
        }
    )


def store_in_checkpoint(
    checkpoint: str, out: str, measured: dict[str, dict]
) -> None:
    """Write a checkpoint anew, with what was measured; whole or not at all.

    Args:
        checkpoint (str): The file to read.
        out (str): The file to write, which may be the same.
        measured (dict[str, dict]): For its ``meta``, like ``rejection``.

    Raises:
        OSError: If it cannot be written.
    """
    content = load_from_local(checkpoint)
    content['meta'] = {**(content.get('meta') or {}), **measured}
    file = io.BytesIO()
    torch.save(content, file)
    write_atomically(out, file.getvalue())


def _labels(answers: Answers) -> Tensor:
    missing = answers.labels.count(None)
    if missing:
        raise ValueError(
            f'{missing} of {len(answers.labels)} held-out images have no '
            'label, and whether an answer is right needs one: put each image '
            'into a folder with the name of its class, or leave '
            '--temperature-scaling out.'
        )
    return torch.tensor(answers.labels)


def _confidence(answers: Answers, temperature: float) -> tuple[Tensor, Tensor]:
    """Give (N,) confidences, and whether each answer is right."""
    scores = (answers.logits / temperature).softmax(dim=1)
    confidence, predicted = scores.max(dim=1)
    return confidence, predicted == _labels(answers)
