"""A checkpoint as a training leaves it, and images to name."""

from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.runner import get_state_dict
from mmpretrain.registry import MODELS
from PIL import Image

import mmcoop

CONFIG = Path(__file__).parents[3] / 'configs/coop/tinyclip_16shot_emoji.py'
NAMES = ['dog', 'hot dog', 'tench', 'ox']


def _make_checkpoint(head=None, **changes):
    """Make what mmengine saves, of a context that learned nothing."""
    cfg = Config.fromfile(CONFIG)
    cfg.work_dir = 'work_dirs/x'
    cfg.model.head.class_names = NAMES
    cfg.model.head.update(head or {})
    cfg.merge_from_dict(changes)
    torch.manual_seed(0)
    model = MODELS.build(dict(cfg.model, _scope_='mmpretrain'))
    meta = dict(
        cfg=cfg.pretty_text,
        dataset_meta=dict(classes=tuple(NAMES)),
        epoch=50,
    )
    return dict(meta=meta, state_dict=get_state_dict(model))


@pytest.fixture(scope='session')
def make_checkpoint():
    return _make_checkpoint


@pytest.fixture(scope='session')
def checkpoint(make_checkpoint):
    return make_checkpoint()


@pytest.fixture(scope='session')
def checkpoint_file(checkpoint, tmp_path_factory):
    path = tmp_path_factory.mktemp('work_dirs') / 'epoch_50.pth'
    torch.save(checkpoint, path)
    return path


@pytest.fixture(scope='session')
def classifier(checkpoint_file):
    return mmcoop.load(checkpoint_file, device='cpu')


@pytest.fixture(scope='session')
def images(tmp_path_factory):
    """Five images of several sizes and kinds, in a folder and one below."""
    folder = tmp_path_factory.mktemp('images')
    (folder / 'b').mkdir()
    rng = np.random.default_rng(0)
    for name, mode, size in [
        ('a.png', 'RGB', (80, 64)),
        ('b/a.jpg', 'RGB', (64, 100)),
        ('b/b.png', 'LA', (70, 70)),
        ('c.png', 'L', (64, 64)),
        ('d.bmp', 'RGB', (200, 90)),
    ]:
        depth = len(mode)
        pixels = rng.integers(0, 256, (*size[::-1], depth), np.uint8)
        image = Image.fromarray(pixels[..., 0] if depth == 1 else pixels)
        assert image.mode == mode
        image.save(folder / name)
    return folder
