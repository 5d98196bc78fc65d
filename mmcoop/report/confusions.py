"""Where the answers are wrong: by class, by pair of classes, by image."""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from .answers import Answer


class ClassResult(NamedTuple):
    """How many images of a class are labelled rightly."""

    label: int
    images: int
    learned: int
    # None if the hand-written prompt was not asked
    written: int | None

    @property
    def change(self) -> float:
        """Share of images won (above 0) or lost (below 0)."""
        return (self.learned - (self.written or 0)) / self.images


class ConfusedPair(NamedTuple):
    """Images of one class that are taken for another one."""

    label: int
    taken_for: int
    count: int
    # All images of the class
    images: int
    examples: list[Answer]


def accuracy(answers: Sequence[Answer]) -> float | None:
    """Compute the accuracy of the learned prompt.

    Args:
        answers (Sequence[Answer]): The answers.

    Returns:
        float: 0 to 100; None of no answers.
    """
    if not answers:
        return None
    return 100 * sum(not a.is_wrong for a in answers) / len(answers)


def written_accuracy(answers: Sequence[Answer]) -> float | None:
    """Compute the accuracy of the hand-written prompt.

    Args:
        answers (Sequence[Answer]): The answers.

    Returns:
        float: 0 to 100; None if it was not asked about all images.
    """
    if not answers or any(a.written is None for a in answers):
        return None
    return 100 * sum(a.written == a.label for a in answers) / len(answers)


def by_class(answers: Sequence[Answer]) -> list[ClassResult]:
    """Count right answers in each class.

    Args:
        answers (Sequence[Answer]): The answers.

    Returns:
        list[ClassResult]: Of the classes that have images; those with the
        greatest gain over the hand-written prompt first, or with the highest
        accuracy where that was not asked.
    """
    images = Counter(a.label for a in answers)
    learned = Counter(a.label for a in answers if not a.is_wrong)
    written = Counter(a.label for a in answers if a.written == a.label)
    asked = written_accuracy(answers) is not None
    results = [
        ClassResult(n, images[n], learned[n], written[n] if asked else None)
        for n in sorted(images)
    ]
    return sorted(results, key=lambda r: (-r.change, r.label))


def most_confused(
    answers: Sequence[Answer], number: int, examples: int
) -> list[ConfusedPair]:
    """Find the pairs of classes with the most wrong answers.

    Args:
        answers (Sequence[Answer]): The answers.
        number (int): How many pairs.
        examples (int): How many images of each.

    Returns:
        list[ConfusedPair]: The most frequent first, with its most confident
        wrong answers.
    """
    images = Counter(a.label for a in answers)
    # Pairs that occur, which are far fewer than pairs of classes
    wrong = Counter((a.label, a.learned) for a in answers if a.is_wrong)
    ranked = sorted(wrong, key=lambda pair: (-wrong[pair], pair))[:number]
    return [
        ConfusedPair(
            *pair,
            wrong[pair],
            images[pair[0]],
            most_wrong(
                [a for a in answers if (a.label, a.learned) == pair], examples
            ),
        )
        for pair in ranked
    ]


def most_wrong(answers: Sequence[Answer], number: int) -> list[Answer]:
    """Find the wrong answers that are given with the most confidence.

    Args:
        answers (Sequence[Answer]): The answers.
        number (int): How many.

    Returns:
        list[Answer]: The most confident first.
    """
    wrong = [answer for answer in answers if answer.is_wrong]
    return sorted(wrong, key=lambda a: -a.confidence)[:number]
