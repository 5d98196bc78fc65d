"""The configs that train from kept features match those that see images."""

from pathlib import Path

import pytest
from mmengine.config import Config

COOP = Path(__file__).parents[2] / 'configs' / 'coop'
CACHED = sorted(COOP.glob('*_cached.py'))


def test_all_configs_are_found():
    assert len(CACHED) == 4


@pytest.mark.parametrize('path', CACHED, ids=lambda path: path.stem)
def test_features_are_those_of_the_config_for_images(path):
    cached = Config.fromfile(path)
    images = Config.fromfile(COOP / path.name.replace('_cached', ''))
    for name in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        features, wanted = cached[name].dataset, images[name].dataset
        assert features.type == 'mmcoop.CachedFeatures'
        assert features.dataset == wanted
        assert features.image_model == dict(
            data_preprocessor=images.model.data_preprocessor,
            backbone=images.model.backbone,
        )
        # A worker does not know the epoch, which decides on the view.
        assert cached[name].num_workers == 0
        assert cached[name].batch_size == images[name].batch_size
    assert cached.train_dataloader.dataset.num_views == 8
    assert 'num_views' not in cached.val_dataloader.dataset
    assert cached.model.head == images.model.head
    assert cached.model.backbone == dict(type='mmcoop.GivenFeatures')
    assert cached.model.data_preprocessor is None


@pytest.mark.parametrize('path', CACHED, ids=lambda path: path.stem)
def test_epochs_are_the_papers(path):
    epochs = {'tinyclip_4shot': 100, 'tinyclip_16shot': 200}
    wanted = epochs.get('_'.join(path.stem.split('_')[:2]), 50)
    assert Config.fromfile(path).train_cfg.max_epochs == wanted


@pytest.mark.parametrize('path', CACHED, ids=lambda path: path.stem)
def test_files_are_named_by_what_is_in_them(path):
    cfg = Config.fromfile(path)
    name = path.stem.removesuffix('_cached')
    arch, _, data = name.split('_')
    assert cfg.train_dataloader.dataset.path == f'data/features/{name}/train'
    val = f'data/features/{arch}_{data}/val'
    assert cfg.val_dataloader.dataset.path == val
    # The command in the head, which may be broken in two
    text = path.read_text()
    assert f'configs/coop/{path.name}' in text
    assert f'python tools/train.py configs/coop/{path.name}\n' in text
