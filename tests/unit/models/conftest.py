"""Small CLIPs with random weights, made once per run."""

import json

import open_clip
import pytest
import torch

MODEL_CFG = dict(
    embed_dim=16,
    vision_cfg=dict(
        image_size=16, layers=1, width=16, patch_size=8, head_width=8
    ),
    text_cfg=dict(
        context_length=77, vocab_size=49408, width=32, heads=2, layers=2
    ),
)
RESNET_CFG = dict(
    MODEL_CFG, vision_cfg=dict(image_size=32, layers=[1, 1, 1, 1], width=8)
)


def write_clip(folder, cfg, seed=0):
    torch.manual_seed(seed)
    model = open_clip.CLIP(**cfg)
    torch.save(model.state_dict(), folder / 'open_clip_pytorch_model.bin')
    (folder / 'open_clip_config.json').write_text(
        json.dumps(dict(model_cfg=cfg, preprocess_cfg={}))
    )
    return dict(name=f'local-dir:{folder}')


@pytest.fixture(scope='session')
def clip(tmp_path_factory) -> dict:
    return write_clip(tmp_path_factory.mktemp('clip'), MODEL_CFG)


@pytest.fixture(scope='session')
def other_clip(tmp_path_factory) -> dict:
    """The same shapes, other weights."""
    return write_clip(tmp_path_factory.mktemp('other'), MODEL_CFG, seed=1)


@pytest.fixture(scope='session')
def wide_clip(tmp_path_factory) -> dict:
    cfg = dict(MODEL_CFG, text_cfg=dict(MODEL_CFG['text_cfg'], width=64))
    return write_clip(tmp_path_factory.mktemp('wide'), cfg)


@pytest.fixture(scope='session')
def resnet_clip(tmp_path_factory) -> dict:
    return write_clip(tmp_path_factory.mktemp('resnet'), RESNET_CFG)
