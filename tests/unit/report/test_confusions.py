"""Counting right and wrong answers."""

from mmcoop.report.answers import Answer
from mmcoop.report.confusions import (
    accuracy,
    by_class,
    most_confused,
    most_wrong,
    written_accuracy,
)

# Of class 0: two right, one taken for 1. Of class 1: two taken for 0, one
# for 2. Of class 2: one right.
ANSWERS = [
    Answer(0, 0, 0.9, 0, 0.5),
    Answer(0, 0, 0.8, 1, 0.5),
    Answer(0, 1, 0.7, 1, 0.5),
    Answer(1, 0, 0.6, 1, 0.5),
    Answer(1, 0, 0.65, 1, 0.5),
    Answer(1, 2, 0.99, 0, 0.5),
    Answer(2, 2, 0.4, 2, 0.5),
]


def test_accuracies():
    assert accuracy(ANSWERS) == 100 * 3 / 7
    assert written_accuracy(ANSWERS) == 100 * 4 / 7
    assert accuracy([]) is None
    assert written_accuracy([]) is None


def test_hand_written_prompt_that_was_not_always_asked():
    answers = [*ANSWERS, Answer(0, 0, 1.0)]
    assert written_accuracy(answers) is None
    assert all(result.written is None for result in by_class(answers))


def test_classes_with_the_greatest_gain_come_first():
    results = by_class(ANSWERS)
    assert [tuple(r) for r in results] == [
        (0, 3, 2, 1),
        (2, 1, 1, 1),
        (1, 3, 0, 2),
    ]
    assert [r.change for r in results] == [1 / 3, 0, -2 / 3]


def test_pairs_are_ordered_by_images():
    pairs = most_confused(ANSWERS, number=2, examples=1)
    assert [tuple(p[:4]) for p in pairs] == [(1, 0, 2, 3), (0, 1, 1, 3)]
    # The most confident of the two
    assert [a.confidence for a in pairs[0].examples] == [0.65]


def test_most_confident_wrong_answers():
    wrong = most_wrong(ANSWERS, 2)
    assert [a.confidence for a in wrong] == [0.99, 0.7]
    assert most_wrong([ANSWERS[0]], 2) == []
