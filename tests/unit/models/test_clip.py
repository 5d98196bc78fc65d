import time
from pathlib import Path

import open_clip
import pytest
import torch
from torch import nn

from mmcoop.models.clip import CLIPVision, text_encoder
from mmcoop.registry import MODELS

RIGHT = dict(
    mean=[122.7709383, 116.7460125, 104.09373615],
    std=[68.5005327, 66.6321375, 70.32316305],
    to_rgb=True,
)


def test_backbone_gives_open_clips_features(clip):
    folder = clip['name']
    expected = open_clip.create_model(folder)
    images = torch.randn(3, 3, 16, 16)
    (features,) = CLIPVision(clip)(images)
    torch.testing.assert_close(features, expected.encode_image(images))


def test_one_load_serves_backbone_and_head(clip, monkeypatch):
    loads = []
    create = open_clip.create_model
    monkeypatch.setattr(
        open_clip,
        'create_model',
        lambda *a, **k: loads.append(a) or create(*a, **k),
    )
    for _ in range(2):
        backbone, encoder = CLIPVision(clip), text_encoder(clip)
    assert len(loads) == 2  # one per model, not one per tower
    assert not {b.data_ptr() for b in backbone.buffers()} & {
        b.data_ptr() for b in encoder.buffers()
    }


@pytest.mark.parametrize('which', ['clip', 'resnet_clip'])
def test_frozen(which, request):
    clip = request.getfixturevalue(which)
    for tower in (CLIPVision(clip), text_encoder(clip)):
        tower.train()
        assert not list(tower.parameters())
        assert not tower.state_dict()
        assert not any(module.training for module in tower.modules())
        assert not any(b.requires_grad for b in tower.buffers())
    backbone = CLIPVision(clip).double()
    assert {b.dtype for b in backbone.buffers() if b.is_floating_point()} == {
        torch.float64
    }


@pytest.mark.parametrize('asked', [False, True])
def test_gradient_to_the_image_only_if_asked_for(clip, asked):
    backbone = CLIPVision(clip, image_gradient=asked)
    (features,) = backbone(torch.randn(1, 3, 16, 16))
    assert features.requires_grad is asked


def test_batch_norm_keeps_its_statistics(resnet_clip):
    backbone = CLIPVision(resnet_clip).train()
    norm = next(m for m in backbone.modules() if isinstance(m, nn.BatchNorm2d))
    before = norm.running_mean.clone()
    backbone(torch.randn(2, 3, 32, 32))
    assert torch.equal(norm.running_mean, before)


def test_embedded_clip():
    backbone = CLIPVision(dict(name='embedded:tiny_clip'))
    assert backbone.image_size == (64, 64)
    assert backbone.mean == pytest.approx(open_clip.OPENAI_DATASET_MEAN)


@pytest.mark.parametrize(
    ('clip', 'error', 'message'),
    [
        (dict(name='ViT-B-61'), ValueError, r"no model 'ViT-B-61'.*ViT-B-16"),
        (
            dict(name='ViT-B-16-quickgelu', pretrained='openia'),
            ValueError,
            r"pretrained='openia' is neither.*Near it: openai",
        ),
        (
            dict(name='ViT-B-16', pretrained='openai'),
            ValueError,
            r"trained with QuickGELU.*name='ViT-B-16-quickgelu'",
        ),
        (
            dict(name='local-dir:/no/where'),
            FileNotFoundError,
            r'no folder /no/where',
        ),
        (
            dict(name='embedded:tiny_clip', pretrained='openai'),
            ValueError,
            r'brings its own weights',
        ),
        (dict(model='ViT-B-16'), ValueError, r'the keys are name, pretrained'),
        (
            dict(name='ViT-B-16', precision='half'),
            ValueError,
            r"'fp32', 'fp16', 'bf16'",
        ),
    ],
)
def test_bad_clip(clip, error, message):
    with pytest.raises(error, match=message):
        CLIPVision(clip)


def test_folder_without_weights(clip, tmp_path):
    config = 'open_clip_config.json'
    source = clip['name'].removeprefix('local-dir:')
    with pytest.raises(FileNotFoundError, match=f'has no {config}'):
        CLIPVision(dict(name=f'local-dir:{tmp_path}'))
    (tmp_path / config).write_bytes(Path(source, config).read_bytes())
    with pytest.raises(FileNotFoundError, match='has no weights'):
        CLIPVision(dict(name=f'local-dir:{tmp_path}'))


@pytest.mark.parametrize(
    'name',
    [
        dict(name='ViT-B-16-quickgelu', pretrained='openai'),
        dict(name='hf-hub:somebody/some-clip'),
    ],
)
def test_no_network(name, tmp_path, monkeypatch):
    import huggingface_hub

    monkeypatch.setattr(
        huggingface_hub.constants, 'HF_HUB_CACHE', str(tmp_path)
    )

    def refuse(*args, **kwargs):
        raise OSError('Network is unreachable')

    monkeypatch.setattr(huggingface_hub.constants, 'HF_HUB_OFFLINE', False)
    monkeypatch.setattr('socket.create_connection', refuse)
    monkeypatch.setattr('urllib.request.getproxies', dict)
    start = time.monotonic()
    with pytest.raises(
        ConnectionError, match='cannot be reached.*Network is unreach'
    ):
        CLIPVision(name)
    assert time.monotonic() - start < 5


def test_wrong_image_size(clip):
    with pytest.raises(ValueError, match='32 x 24 pixels.*takes 16 x 16'):
        CLIPVision(clip)(torch.zeros(1, 3, 32, 24))


@pytest.mark.parametrize(
    'changed',
    [
        dict(mean=[123.675, 116.28, 103.53]),
        dict(std=[57.375, 57.12, 58.395]),
        dict(to_rgb=False),
        dict(mean=None, std=None),
    ],
)
def test_wrong_preprocessing(clip, changed):
    model = dict(
        type='mmpretrain.ImageClassifier',
        data_preprocessor=RIGHT,
        backbone=dict(type='mmcoop.CLIPVision', clip=clip),
    )
    MODELS.build(model)
    model['data_preprocessor'] = dict(RIGHT, **changed)
    with pytest.raises(ValueError, match=r'Set data_preprocessor=dict\(mean'):
        MODELS.build(model)


def test_registered():
    assert MODELS.get('mmcoop.CLIPVision') is CLIPVision
