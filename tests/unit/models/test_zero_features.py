"""Features of length zero, which have no direction to normalise to."""

import pytest
import torch
from mmpretrain.structures import DataSample

from mmcoop.models import CoOpHead, ZeroShotHead

NAMES = ['cat', 'dog', 'hot dog']


def samples(count: int) -> list[DataSample]:
    return [DataSample().set_gt_label(0) for _ in range(count)]


def head_and_gradient(clip, features, **options):
    head = CoOpHead(clip, NAMES, dict(num_context=2), **options).train()
    loss = head.loss((features,), samples(len(features)))['loss']
    loss.backward()
    return loss, head.prompt_learner.ctx.grad


@pytest.mark.parametrize('dtype', [torch.float32, torch.float16])
@pytest.mark.parametrize('chunk', [None, 1])
def test_image_of_no_length(clip, dtype, chunk):
    features = torch.randn(2, 16).to(dtype)
    features[1] = 0
    loss, grad = head_and_gradient(clip, features, text_chunk_size=chunk)
    assert loss.isfinite()
    assert grad.isfinite().all()
    assert grad.any()


def test_image_of_no_length_is_as_like_to_each_class(clip):
    head = CoOpHead(clip, NAMES).eval()
    assert head((torch.zeros(1, 16),)).tolist() == [[0.0, 0.0, 0.0]]


def test_text_of_no_length(clip, monkeypatch):
    head = CoOpHead(clip, NAMES, dict(num_context=2)).train()
    encode = head.text_encoder.forward

    def without_the_second(prompts, layout):
        features = encode(prompts, layout)
        keep = torch.tensor([[1.0], [0.0], [1.0]])
        return features * keep

    monkeypatch.setattr(head.text_encoder, 'forward', without_the_second)
    loss = head.loss((torch.randn(4, 16),), samples(4))['loss']
    loss.backward()
    assert loss.isfinite()
    assert head.prompt_learner.ctx.grad.isfinite().all()
    assert head.text_features[1].tolist() == [0.0] * 16


@pytest.mark.parametrize('dtype', [torch.float32, torch.float16])
def test_hand_written_prompt_of_no_length(clip, monkeypatch, dtype):
    head = ZeroShotHead(clip, NAMES, ['a {}.', 'the {}.']).eval()
    features = torch.randn(3, 16).to(dtype)
    features[1] = 0
    monkeypatch.setattr(
        head.text_encoder, 'encode_layout', lambda layout: features
    )
    assert head.text_features.isfinite().all()
    assert head.text_features[1].tolist() == [0.0] * 16
