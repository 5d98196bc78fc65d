import pytest
import torch
from mmpretrain.structures import DataSample

from mmcoop.evaluation import OutOfDistribution, auroc, rejection_score
from mmcoop.registry import METRICS

K = 4
LABELS = [0, 1, 2, 3, 3, 4, 9, -1]


@pytest.fixture
def samples():
    torch.manual_seed(0)
    return [
        dict(gt_label=torch.tensor([label]), cosines=torch.rand(K))
        for label in LABELS
    ]


def evaluate(samples, batch_size=3, **options):
    metric = METRICS.build(dict(type='mmcoop.OutOfDistribution', **options))
    for first in range(0, len(samples), batch_size):
        metric.process(None, samples[first : first + batch_size])
    return metric.evaluate(len(samples))


@pytest.mark.parametrize(
    ('score', 'temperature'), [('mcm', None), ('mcm', 0.1), ('energy', 0.1)]
)
def test_labels_without_a_name_are_unknown(samples, score, temperature):
    found = evaluate(samples, score=score, temperature=temperature)
    scores = rejection_score(
        torch.stack([sample['cosines'] for sample in samples]),
        score,
        temperature or 1.0,
    )
    assert set(found) == {
        f'{score}/{name}' for name in ('auroc', 'aupr_in', 'aupr_out', 'fpr95')
    }
    assert found[f'{score}/auroc'] == pytest.approx(
        100 * auroc(scores[:5], scores[5:])
    )


def test_a_score_of_the_truth_is_perfect():
    """Known images look like a class, unknown ones like none."""
    samples = [
        dict(
            gt_label=torch.tensor([label]),
            cosines=torch.eye(K)[label] if 0 <= label < K else torch.zeros(K),
        )
        for label in LABELS
    ]
    found = evaluate(samples, threshold=0.3, prefix='ood')
    assert found == {
        'ood/auroc': 100,
        'ood/aupr_in': 100,
        'ood/aupr_out': 100,
        'ood/fpr95': 0,
        'ood/accepted': 100,
        'ood/rejected': 100,
    }


def test_threshold_says_what_is_accepted_and_rejected(samples):
    for index, sample in enumerate(samples):
        sample['cosines'] = torch.tensor([0.1 * index, 0, 0, 0])
    found = evaluate(samples, score='energy', temperature=1e-3, threshold=0.25)
    # 0, 0.1, 0.2, 0.3, 0.4 are known; 0.5, 0.6, 0.7 are not
    assert found['energy/accepted'] == pytest.approx(40)
    assert found['energy/rejected'] == 0


@pytest.mark.parametrize('kept', [slice(5), slice(5, None)])
def test_known_or_unknown_images_alone_are_refused(samples, kept):
    with pytest.raises(ValueError, match='telling known from unknown images'):
        evaluate(samples[kept])


def test_predictions_without_similarities_are_refused():
    sample = DataSample().set_gt_label(1).set_pred_score(torch.ones(K) / K)
    with pytest.raises(ValueError, match='no cosine similarities: evaluate a'):
        evaluate([sample.to_dict()])


def test_energy_wants_a_temperature():
    with pytest.raises(ValueError, match="score='energy' needs a temperature"):
        OutOfDistribution('energy')
