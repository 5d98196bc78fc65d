import pytest
import torch
import torch.nn.functional as F

from mmcoop.evaluation import fit_temperature


@pytest.fixture
def calibrated():
    """Logits whose softmax is how the labels were drawn."""
    generator = torch.Generator().manual_seed(0)
    logits = 3 * torch.randn(20_000, 5, generator=generator)
    labels = torch.multinomial(logits.softmax(1), 1, generator=generator)
    return logits, labels.flatten()


@pytest.mark.parametrize('too_sure', [0.3, 1.0, 4.0])
def test_finds_by_how_much_logits_are_too_large(calibrated, too_sure):
    logits, labels = calibrated
    found = fit_temperature(too_sure * logits, labels)
    assert found == pytest.approx(too_sure, rel=0.03)


def test_no_other_temperature_is_better(calibrated):
    logits, labels = (part[:50] for part in calibrated)
    found = fit_temperature(logits, labels)
    losses = [
        float(F.cross_entropy(logits.double() / t, labels))
        for t in (found, 0.99 * found, 1.01 * found)
    ]
    assert min(losses) == losses[0]


def test_works_where_gradients_are_off(calibrated):
    with torch.no_grad():
        assert fit_temperature(*calibrated) == pytest.approx(1, rel=0.03)


def test_all_right_or_by_chance_has_no_best_temperature():
    logits, labels = torch.eye(4), torch.arange(4)
    with pytest.raises(ValueError, match='all 4 answers are right'):
        fit_temperature(logits, labels)
    with pytest.raises(ValueError, match='no better than chance'):
        fit_temperature(-logits, labels)


@pytest.mark.parametrize(
    ('shape', 'label', 'message'),
    [
        ((0, 3), 0, 'there are 0 images and 3 classes'),
        ((2, 1), 0, 'there are 2 images and 1 classes'),
        ((2, 3), 3, 'the labels are from 3 to 3, but there are 3 classes'),
        ((2, 3), -1, 'the labels are from -1 to -1'),
    ],
)
def test_what_cannot_be_fitted_is_refused(shape, label, message):
    labels = torch.full(shape[:1], label)
    with pytest.raises(ValueError, match=message):
        fit_temperature(torch.zeros(shape), labels)
