"""What of a checkpoint's config goes into a config that will be run."""

import copy

import pytest

from mmcoop.apis import Classifier
from mmcoop.export import export
from mmcoop.export.evaluation_config import evaluation_config, names_mmcoop


@pytest.fixture
def with_dataset(classifier):
    """Give a classifier another test data set."""

    def make(**dataset):
        cfg = copy.deepcopy(classifier.cfg)
        cfg.test_dataloader.dataset.update(dataset)
        return Classifier(classifier.model, classifier.pipeline, cfg)

    return make


def test_known_data_stay(with_dataset):
    found = evaluation_config(with_dataset(data_prefix='images'), True)
    dataset = found['test_dataloader']['dataset']
    assert dataset['data_root'] == 'data/mine'
    assert dataset['data_prefix'] == 'images'
    assert dataset['pipeline'][0] == dict(
        type='LoadImageFromFile', imdecode_backend='pillow'
    )
    assert not names_mmcoop(found)


def test_kept_features_give_way_to_their_images(with_dataset, classifier):
    inner = classifier.cfg.test_dataloader.dataset
    cached = with_dataset(
        type='mmcoop.CachedFeatures', path='features', dataset=inner
    )
    found = evaluation_config(cached, True)
    assert found['test_dataloader']['dataset']['data_root'] == 'data/mine'
    assert not names_mmcoop(found)


@pytest.mark.parametrize(
    'dataset',
    [
        dict(type='os.system', command='true'),
        dict(type='mmengine.dump'),
        dict(_scope_='os'),
        dict(dataset=dict(pipeline=[dict(type='os.system')])),
        dict(dataset=dict(type='somebody.else')),
    ],
)
def test_what_could_run_code_is_left_out(with_dataset, dataset):
    found = evaluation_config(with_dataset(**dataset), True)
    taken = found['test_dataloader']['dataset']
    assert taken['type'] == 'CustomDataset'
    assert taken['data_root'] == 'data/test'
    assert not {'command', '_scope_', 'dataset'} & set(taken)


def test_keys_cannot_become_code(with_dataset, tmp_path):
    key = "a': print('run'), 'b"
    hostile = with_dataset(metainfo={key: 1})
    with pytest.raises(ValueError, match='code is never run'):
        export(hostile, 'linear', tmp_path / 'a.pth')
    assert list(tmp_path.iterdir()) == []
