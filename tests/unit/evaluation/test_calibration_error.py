import pytest
import torch

from mmcoop.evaluation import confidence_bins, expected_calibration_error
from mmcoop.evaluation.reliability_diagram import draw_reliability
from mmcoop.registry import METRICS


def test_error_by_hand():
    confidence = torch.tensor([0.9, 0.8, 0.15, 0.1])
    right = torch.tensor([True, False, False, False])
    # Two bins: (0.85, half right) and (0.125, none right)
    wanted = 0.5 * abs(0.85 - 0.5) + 0.5 * abs(0.125 - 0)
    found = expected_calibration_error(confidence, right, num_bins=2)
    assert found == pytest.approx(wanted)


def test_as_sure_as_right_is_no_error():
    confidence = torch.full((4,), 0.75)
    right = torch.tensor([True, True, True, False])
    assert expected_calibration_error(confidence, right) == pytest.approx(0)


def test_borders_are_in_the_lower_bin():
    confidence = torch.tensor([0.0, 0.25, 0.5, 1.0])
    right = torch.ones(4, dtype=torch.bool)
    bins = confidence_bins(confidence, right, num_bins=4)
    assert bins.counts.tolist() == [2, 1, 0, 1]
    assert bins.confidence.tolist() == [0.125, 0.5, 0, 1]
    assert bins.accuracy.tolist() == [1, 1, 0, 1]


@pytest.mark.parametrize(
    ('confidence', 'num_bins', 'message'),
    [
        ([], 15, 'there are no images of known classes'),
        ([1.5], 15, 'a confidence is outside 0 to 1'),
        ([float('nan')], 15, 'a confidence is outside 0 to 1'),
        ([0.5], 0, 'num_bins is 0'),
    ],
)
def test_what_cannot_be_binned_is_refused(confidence, num_bins, message):
    right = torch.ones(len(confidence), dtype=torch.bool)
    with pytest.raises(ValueError, match=message):
        confidence_bins(torch.tensor(confidence), right, num_bins)


@pytest.mark.parametrize('temperature', [1.0, 2.0])
def test_metric_divides_logits_and_leaves_unknown_images_out(temperature):
    torch.manual_seed(0)
    logits = 5 * torch.randn(50, 3)
    labels = torch.randint(-1, 4, (50,))
    metric = METRICS.build(
        dict(type='mmcoop.CalibrationError', temperature=temperature)
    )
    metric.process(
        None,
        [
            dict(gt_label=label[None], pred_score=row.softmax(0))
            for label, row in zip(labels, logits, strict=True)
        ],
    )
    found = metric.evaluate(len(labels))
    known = (labels >= 0) & (labels < 3)
    scores = (logits[known] / temperature).softmax(1)
    confidence, answer = scores.max(1)
    right = answer == labels[known]
    assert found == pytest.approx(
        {
            'calibration/ece': 100
            * expected_calibration_error(confidence, right),
            'calibration/confidence': 100 * float(confidence.mean()),
            'calibration/accuracy': 100 * float(right.float().mean()),
        },
        rel=1e-4,
    )


def test_metric_refuses_a_temperature_of_0():
    with pytest.raises(ValueError, match='the temperature is 0'):
        METRICS.build(dict(type='mmcoop.CalibrationError', temperature=0))


def test_diagram_has_bars_where_there_are_images(tmp_path):
    right = torch.tensor([True, False, True])
    bins = confidence_bins(torch.tensor([0.35, 0.35, 0.95]), right, 10)
    figure = draw_reliability({'before': bins, 'after': bins})
    upper = figure.axes[0]
    assert [axes.get_title() for axes in figure.axes[:2]] == [
        'before',
        'after',
    ]
    accuracy, distance = upper.containers
    assert [bar.get_height() for bar in accuracy] == pytest.approx([0.5, 1])
    assert [bar.get_height() for bar in distance] == pytest.approx(
        [-0.15, -0.05]
    )
    middles = [bar.get_x() + bar.get_width() / 2 for bar in accuracy]
    assert middles == pytest.approx([0.35, 0.95])
    figure.savefig(tmp_path / 'diagram.png')
