"""The configs of known against unknown images."""

from pathlib import Path

import pytest
from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmpretrain.registry import DATASETS, METRICS

from mmcoop.datasets import COOP_DATASETS
from mmcoop.models.class_names import resolve_class_names

OOD = Path(__file__).parents[2] / 'configs' / 'ood'
PATHS = sorted(OOD.glob('*.py'))


@pytest.fixture(autouse=True)
def in_the_data_folder(coop_data, monkeypatch):
    monkeypatch.chdir(coop_data.parent)
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        yield


def labels(dataset):
    return [dataset.get_data_info(i)['gt_label'] for i in range(len(dataset))]


def paths(dataset):
    infos = map(dataset.get_data_info, range(len(dataset)))
    return {info['img_path'] for info in infos}


def test_all_configs_are_found():
    assert len(PATHS) == 3


@pytest.mark.parametrize('path', PATHS, ids=lambda path: path.stem)
def test_known_and_unknown_images_are_told_apart(path):
    cfg = Config.fromfile(path)
    found = DATASETS.build(cfg.test_dataloader.dataset)
    num_classes = 1000 if path.stem.endswith('imagenet_dtd') else 20
    known = [0 <= label < num_classes for label in labels(found)]
    assert any(known)
    assert not all(known)
    metrics = [METRICS.build(metric) for metric in cfg.test_evaluator]
    assert [metric.prefix for metric in metrics] == [
        'mcm',
        'energy',
        'calibration',
    ]


@pytest.mark.parametrize('path', PATHS, ids=lambda path: path.stem)
def test_command_in_the_head_names_the_config(path):
    assert f'configs/ood/{path.name}\n' in path.read_text().split('"""')[1]


def test_emoji_are_half_known_and_held_out_images_are_not_tested():
    cfg = Config.fromfile(OOD / 'tinyclip_16shot_emoji_half.py')
    train, held_out, tested = (
        DATASETS.build(cfg[f'{name}_dataloader'].dataset)
        for name in ('train', 'val', 'test')
    )
    assert len(train) == 20 * 16
    assert set(labels(train)) == set(labels(held_out)) == set(range(20))
    assert set(labels(tested)) == set(range(40))
    assert not paths(held_out) & paths(tested)
    # An image's label is its class in either numbering.
    assert train.CLASSES == held_out.CLASSES == tested.CLASSES[:20]
    assert cfg.model.head.class_names is None, 'else all 40 would be known'


def test_hand_written_prompts_know_the_same_classes():
    cfg = Config.fromfile(OOD / 'tinyclip_emoji_half.py')
    learned = Config.fromfile(OOD / 'tinyclip_16shot_emoji_half.py')
    train = DATASETS.build(learned.train_dataloader.dataset)
    assert resolve_class_names(cfg.model.head.class_names) == train.CLASSES
    assert cfg.test_dataloader == learned.test_dataloader


def test_imagenet_is_set_against_textures():
    cfg = Config.fromfile(OOD / 'vitb16_16shot_imagenet_dtd.py')
    found = DATASETS.build(cfg.test_dataloader.dataset)
    # The generated data have an image of each class of ImageNet, and 3 of
    # each texture.
    num_textures = 3 * COOP_DATASETS['dtd'].num_classes
    assert labels(found) == [*range(1000), *[-1] * num_textures]
