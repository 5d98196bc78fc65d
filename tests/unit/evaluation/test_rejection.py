import math

import pytest
import torch

from mmcoop.evaluation import acceptance_threshold, rejection_score

COSINES = torch.tensor([[0.3, 0.1, -0.2], [0.2, 0.2, 0.2]])


def test_mcm_is_the_largest_softmax_of_the_similarities():
    scores = rejection_score(COSINES)
    weights = [math.exp(value) for value in (0.3, 0.1, -0.2)]
    assert scores.tolist() == pytest.approx([weights[0] / sum(weights), 1 / 3])


def test_a_lower_temperature_looks_at_the_best_class():
    scores = rejection_score(COSINES, 'mcm', 0.01)
    assert scores[0] > 0.999999
    assert float(scores[1]) == pytest.approx(1 / 3)


def test_energy_is_that_of_the_logits():
    scale = 100.0
    negative_energy = (scale * COSINES).logsumexp(dim=1)
    scores = rejection_score(COSINES, 'energy', 1 / scale)
    torch.testing.assert_close(scale * scores, negative_energy)


def test_half_precision_is_scored_in_float32():
    cosines = COSINES.half()
    scores = rejection_score(cosines)
    assert scores.dtype == torch.float32
    assert torch.equal(scores, rejection_score(cosines.float()))


def test_one_class_has_an_energy_and_no_mcm():
    one = COSINES[:, :1]
    torch.testing.assert_close(
        rejection_score(one, 'energy', 0.01), one.flatten()
    )
    with pytest.raises(ValueError, match="one class is always 1: 'mcm' would"):
        rejection_score(one)


@pytest.mark.parametrize(
    ('cosines', 'kind', 'temperature', 'message'),
    [
        (COSINES, 'odin', 1, "the score is 'odin': choose 'mcm' or 'energy'"),
        (COSINES, 'mcm', 0, 'the temperature is 0: give a number above 0'),
        (COSINES, 'mcm', math.nan, 'the temperature is nan'),
        (COSINES, 'energy', math.inf, 'the temperature is inf'),
        (COSINES[0], 'mcm', 1, r'shape \(3,\): give \(N, K\)'),
        (COSINES[:, :0], 'energy', 1, r'shape \(2, 0\): give \(N, K\)'),
    ],
)
def test_what_cannot_be_scored_is_refused(cosines, kind, temperature, message):
    with pytest.raises(ValueError, match=message):
        rejection_score(cosines, kind, temperature)


@pytest.mark.parametrize('num_images', [1, 19, 20, 21, 392])
@pytest.mark.parametrize('rate', [0.001, 0.5, 0.95, 1.0])
def test_threshold_accepts_the_share_and_no_image_more(num_images, rate):
    scores = torch.randperm(num_images) / num_images
    threshold = acceptance_threshold(scores, rate)
    accepted = int((scores >= threshold).sum())
    assert accepted >= rate * num_images - 1e-9
    assert accepted - 1 < rate * num_images


def test_ties_are_accepted_together():
    scores = torch.tensor([3.0, 2, 2, 2, 1])
    assert acceptance_threshold(scores, 0.4) == 2


@pytest.mark.parametrize('rate', [0, -0.1, 1.01, math.nan])
def test_rate_out_of_range_is_refused(rate):
    with pytest.raises(ValueError, match='the true-accept rate is'):
        acceptance_threshold(torch.ones(3), rate)


def test_no_image_gives_no_threshold():
    with pytest.raises(ValueError, match='there are no held-out images'):
        acceptance_threshold(torch.empty(0), 0.95)


def test_broken_scores_give_no_threshold():
    with pytest.raises(ValueError, match='1 of 2 scores are not finite'):
        acceptance_threshold(torch.tensor([1.0, math.nan]), 0.95)
