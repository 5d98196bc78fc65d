"""Classifiers on small CLIPs with random weights."""

import json

import open_clip
import pytest
import torch
from mmengine.config import Config
from mmengine.dataset import Compose
from mmpretrain.registry import MODELS, TRANSFORMS

from mmcoop.apis import Classifier

VISION = dict(image_size=16, layers=2, width=16, patch_size=8, head_width=8)
TEXT = dict(context_length=77, vocab_size=49408, width=32, heads=2, layers=2)
NAMES = ['cat', 'dog', 'fire truck']


def write_clip(folder, vision, **model_cfg):
    """Save a CLIP of which no weight is 0 or 1, for each to matter."""
    torch.manual_seed(0)
    cfg = dict(embed_dim=12, vision_cfg=vision, text_cfg=TEXT, **model_cfg)
    model = open_clip.CLIP(**cfg)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.1 * torch.randn_like(parameter)
        # Features that differ between images, and scores near neither end,
        # for differences to show
        model.visual.conv1.weight *= 5
        model.logit_scale.fill_(10).log_()
    torch.save(model.state_dict(), folder / 'open_clip_pytorch_model.bin')
    (folder / 'open_clip_config.json').write_text(
        json.dumps(dict(model_cfg=cfg, preprocess_cfg={}))
    )
    return dict(name=f'local-dir:{folder}')


def make_classifier(
    folder, precision='fp32', temperature=1.0, model_cfg=None, **vision
):
    vision = {**VISION, **vision}
    clip = write_clip(folder, vision, **(model_cfg or {}))
    clip['precision'] = precision
    size = vision['image_size']
    height, width = (size, size) if isinstance(size, int) else size
    pipeline = [
        dict(type='mmcoop.LoadImageFromFile'),
        dict(type='Resize', scale=(width, height), backend='pillow'),
        dict(type='PackInputs'),
    ]
    cfg = Config(
        dict(
            model=dict(
                type='ImageClassifier',
                data_preprocessor=dict(
                    mean=[122.7709383, 116.7460125, 104.09373615],
                    std=[68.5005327, 66.6321375, 70.32316305],
                    to_rgb=True,
                ),
                backbone=dict(type='mmcoop.CLIPVision', clip=clip),
                head=dict(
                    type='mmcoop.CoOpHead', clip=clip, class_names=NAMES
                ),
            ),
            test_dataloader=dict(
                dataset=dict(
                    type='CustomDataset',
                    data_root='data/mine',
                    pipeline=pipeline,
                )
            ),
        )
    )
    return Classifier(
        MODELS.build(dict(cfg.model, _scope_='mmpretrain')),
        Compose([TRANSFORMS.build(step) for step in pipeline]),
        cfg,
        temperature=temperature,
    )


@pytest.fixture(scope='session')
def classifier(tmp_path_factory):
    return make_classifier(tmp_path_factory.mktemp('clip'))


@pytest.fixture(scope='session')
def resnet(tmp_path_factory):
    """A classifier on CLIP's ResNet."""
    folder = tmp_path_factory.mktemp('resnet')
    return make_classifier(folder, image_size=32, layers=[1, 1, 1, 1], width=8)


@pytest.fixture
def make(tmp_path):
    """Make a classifier on a CLIP of a kind."""

    def of_kind(**options):
        return make_classifier(tmp_path, **options)

    return of_kind
