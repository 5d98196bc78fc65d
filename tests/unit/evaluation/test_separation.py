import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mmcoop.evaluation import auroc, average_precision, false_positive_rate

# Few different values: many ties
SCORES = st.lists(st.integers(0, 6), min_size=1, max_size=30).map(
    lambda values: torch.tensor(values, dtype=torch.float32) / 6
)


@settings(max_examples=20, deadline=None)
@given(known=SCORES, unknown=SCORES)
def test_auroc_is_how_often_the_known_are_ahead(known, unknown):
    pairs = known[:, None] - unknown
    ahead = (pairs > 0).double() + (pairs == 0).double() / 2
    assert auroc(known, unknown) == pytest.approx(float(ahead.mean()))


@settings(max_examples=20, deadline=None)
@given(known=SCORES, unknown=SCORES)
def test_rates_and_areas_are_those_of_scikit_learn(known, unknown):
    metrics = pytest.importorskip('sklearn.metrics')
    labels = [1] * len(known) + [0] * len(unknown)
    scores = torch.cat([known, unknown]).numpy()
    assert auroc(known, unknown) == pytest.approx(
        metrics.roc_auc_score(labels, scores)
    )
    assert average_precision(known, unknown) == pytest.approx(
        metrics.average_precision_score(labels, scores)
    )
    accepted_unknown, accepted_known, _ = metrics.roc_curve(
        labels, scores, drop_intermediate=False
    )
    assert false_positive_rate(known, unknown) == pytest.approx(
        accepted_unknown[accepted_known >= 0.95 - 1e-9].min()
    )


def test_perfect_and_reversed_order():
    low, high = torch.arange(5.0), torch.arange(5.0, 10)
    assert auroc(high, low) == average_precision(high, low) == 1
    assert false_positive_rate(high, low) == 0
    assert auroc(low, high) == 0
    assert false_positive_rate(low, high) == 1


def test_nineteen_of_twenty_are_95_percent():
    known = torch.arange(20.0)
    unknown = torch.tensor([0.5])
    assert false_positive_rate(known, unknown) == 0


def test_both_sides_are_needed():
    some, none = torch.ones(3), torch.empty(0)
    for known, unknown, message in (
        (some, none, 'there are 3 images on one side and 0 on the other'),
        (none, some, 'there are 0 images on one side and 3 on the other'),
    ):
        with pytest.raises(ValueError, match=message):
            auroc(known, unknown)


def test_broken_scores_are_refused():
    with pytest.raises(ValueError, match='1 of 4 scores are not numbers'):
        auroc(torch.ones(3), torch.tensor([torch.nan]))
