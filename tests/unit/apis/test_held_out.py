import shutil

import pytest
from mmengine.config import Config
from PIL import Image

from mmcoop.apis.held_out import (
    check_not_learned_from,
    held_out_in_folder,
    held_out_of_config,
)

NAMES = ('ant', 'bee', 'cat')


@pytest.fixture
def folder(tmp_path):
    for split, shade in (('train', 0), ('val', 100)):
        for label, name in enumerate(NAMES):
            (tmp_path / split / name).mkdir(parents=True)
            for index in range(2):
                image = Image.new('L', (8, 8), shade + 10 * label + index)
                image.save(tmp_path / split / name / f'{index}.png')
    return tmp_path


def dataset(folder, split):
    return dict(
        type='CustomDataset',
        data_root=str(folder),
        data_prefix=split,
        pipeline=[dict(type='NoSuchTransform')],
    )


@pytest.fixture
def cfg(folder):
    loaders = {
        f'{name}_dataloader': dict(dataset=dataset(folder, name))
        for name in ('train', 'val')
    }
    return Config(dict(loaders, test_dataloader=None))


@pytest.mark.parametrize('trusted', [True, False])
def test_images_of_the_config_are_listed_and_not_read(cfg, folder, trusted):
    found = held_out_of_config(cfg, len(NAMES), trusted)
    assert found.labels == [0, 0, 1, 1, 2, 2]
    assert found.paths[0] == str(folder / 'val' / 'ant' / '0.png')
    check_not_learned_from(found, cfg, trusted)


def test_images_of_classes_without_a_name_are_left_out(cfg):
    found = held_out_of_config(cfg, 2, trusted=True)
    assert found.labels == [0, 0, 1, 1]


def test_images_to_test_with_are_next(cfg, folder):
    cfg.test_dataloader = cfg.val_dataloader
    cfg.val_dataloader = None
    assert len(held_out_of_config(cfg, 3, trusted=True).paths) == 6
    cfg.test_dataloader = None
    with pytest.raises(ValueError, match='has no val_dataloader and no test_'):
        held_out_of_config(cfg, 3, trusted=True)


def test_kept_features_lead_to_their_images(cfg):
    cfg.val_dataloader.dataset = dict(
        type='mmcoop.CachedFeatures',
        path='gone',
        image_model=dict(backbone=dict(type='os.system')),
        dataset=cfg.val_dataloader.dataset,
    )
    assert len(held_out_of_config(cfg, 3, trusted=False).paths) == 6


@pytest.mark.parametrize(
    'changed',
    [
        # Reads a pickle, which may call anything
        dict(type='mmpretrain.CIFAR10'),
        dict(type='os.system'),
        dict(_scope_='os'),
        dict(metainfo=dict(classes=dict(type='builtins.eval'))),
        dict(type=['CustomDataset']),
    ],
)
def test_a_checkpoint_cannot_name_what_runs_code(cfg, changed):
    cfg.val_dataloader.dataset.update(changed)
    with pytest.raises(ValueError, match='could run code.*--config FILE'):
        held_out_of_config(cfg, 3, trusted=False)


def test_folders_named_by_class_give_labels(folder):
    shutil.copy(folder / 'val/ant/0.png', folder / 'val/unsorted.png')
    found = held_out_in_folder(folder / 'val', NAMES)
    assert found.labels == [0, 0, 1, 1, 2, 2, None]
    with pytest.raises(FileNotFoundError, match='no folder .*gone of held-'):
        held_out_in_folder(folder / 'gone', NAMES)


def test_copies_of_training_images_are_refused(cfg, folder):
    shutil.copy(folder / 'train/bee/1.png', folder / 'val/bee/copy.png')
    found = held_out_of_config(cfg, 3, trusted=True)
    with pytest.raises(
        ValueError, match=r'1 of 7 held-out images were learned from, like'
    ):
        check_not_learned_from(found, cfg, trusted=True)


@pytest.mark.parametrize('missing', ['data', 'loader'])
def test_what_cannot_be_compared_is_said(cfg, folder, missing, monkeypatch):
    found = held_out_of_config(cfg, 3, trusted=True)
    if missing == 'data':
        shutil.rmtree(folder / 'train')
    else:
        cfg.train_dataloader = None
    said = []
    monkeypatch.setattr(
        'mmcoop.apis.held_out.print_log', lambda text, **_: said.append(text)
    )
    check_not_learned_from(found, cfg, trusted=True)
    (warning,) = said
    assert 'could not be checked' in warning


def test_a_data_set_that_cannot_be_built_is_named(cfg):
    cfg.val_dataloader.dataset = dict(type='NoSuchData')
    with pytest.raises(ValueError, match='set NoSuchData cannot be built'):
        held_out_of_config(cfg, 3, trusted=True)
