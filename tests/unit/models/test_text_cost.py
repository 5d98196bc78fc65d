"""Chunks and compilation: other costs, the same numbers."""

import logging

import open_clip
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from mmcoop.models.clip import text_encoder
from mmcoop.models.coop_head import CoOpHead
from mmcoop.models.prompt_learner import PromptLearner

NAMES = ['dog', 'hot dog', 'black-footed albatross', 'tench', 'goldfish']


def head_and_gradient(clip, names=NAMES, **options):
    head = CoOpHead(clip, names, **options).train()
    ctx = head.prompt_learner.ctx
    with torch.no_grad():
        generator = torch.Generator().manual_seed(0)
        ctx.copy_(torch.randn(ctx.shape, generator=generator) / 2)
    features = head.encode_text()
    weights = torch.linspace(-1, 1, features.numel()).view_as(features)
    (features * weights).sum().backward()
    return head, features.detach(), ctx.grad


@pytest.mark.parametrize('class_specific', [False, True])
@pytest.mark.parametrize('size', [1, 2, 4, 5, 100])
def test_chunks_give_the_same(clip, size, class_specific):
    learner = dict(num_context=3, class_specific=class_specific)
    _, *expected = head_and_gradient(clip, prompt_learner=learner)
    head, *chunked = head_and_gradient(
        clip, prompt_learner=learner, text_chunk_size=size
    )
    assert len(head.prompt_learner.parts) == -(-len(NAMES) // size)
    torch.testing.assert_close(chunked, expected, rtol=1e-5, atol=1e-6)
    head.eval()
    with torch.no_grad():
        torch.testing.assert_close(head.encode_text(), expected[0])


def test_chunks_are_encoded_again_in_the_same_precision(clip):
    """AmpOptimWrapper's autocast is over when the gradient is computed."""
    head = CoOpHead(clip, NAMES, text_chunk_size=2).train()
    dtypes = []
    head.text_encoder.register_forward_hook(
        lambda module, args, output: dtypes.append(output.dtype)
    )
    with torch.autocast('cpu', torch.bfloat16):
        features = head.encode_text()
    features.sum().backward()
    assert dtypes == [torch.bfloat16] * 6


def test_chunks_are_encoded_again_for_the_gradient(clip, monkeypatch):
    calls = []
    encode = CoOpHead._encode_part

    def count(self, part, *args):
        calls.append(part)
        return encode(self, part, *args)

    monkeypatch.setattr(CoOpHead, '_encode_part', count)
    head_and_gradient(clip, text_chunk_size=2)
    assert sorted(calls) == [0, 0, 1, 1, 2, 2]


@pytest.mark.parametrize('size', [0, -1, 2.5, '10'])
def test_bad_chunk_size(clip, size):
    with pytest.raises(ValueError, match='text_chunk_size is'):
        CoOpHead(clip, NAMES, text_chunk_size=size)


def test_a_compiler_that_fails_is_left_out(clip, monkeypatch, caplog):
    def broken(*args, **kwargs):
        def fail(*args):
            raise RuntimeError('no compiler\nhere')

        return fail

    monkeypatch.setattr(torch, 'compile', broken)
    caplog.set_level(logging.INFO)
    _, *expected = head_and_gradient(clip)
    head, *without = head_and_gradient(clip, compile_text=True)
    torch.testing.assert_close(without, expected)
    assert head.compile_text is False


def test_a_compiler_that_is_wrong_is_left_out(clip, monkeypatch):
    def wrong(encode, mode):
        return lambda prompts, layout: encode(1.01 * prompts, layout)

    monkeypatch.setattr(torch, 'compile', wrong)
    _, *expected = head_and_gradient(clip)
    head, *without = head_and_gradient(clip, compile_text=True)
    torch.testing.assert_close(without, expected)
    assert head.compile_text is False


def test_a_compiler_that_is_right_is_used(clip, monkeypatch):
    calls = []

    def right(encode, mode):
        return lambda *args: calls.append(mode) or encode(*args)

    monkeypatch.setattr(torch, 'compile', right)
    head, *_ = head_and_gradient(clip, compile_text='max-autotune')
    assert calls == 2 * ['max-autotune']
    assert head.compile_text == 'max-autotune'


@pytest.mark.slow
@pytest.mark.filterwarnings('ignore')  # the compiler's own
def test_compiled_gives_the_same(clip):
    _, *expected = head_and_gradient(clip)
    _, *compiled = head_and_gradient(clip, compile_text=True)
    torch.testing.assert_close(compiled, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(('count', 'ratio'), [(100, 16), (1000, 17)])
def test_operations(count, ratio):
    """Forward and backward in ViT-B/16's text tower, M = 16."""
    encoder = text_encoder(dict(name='ViT-B-16-quickgelu'))
    learner = PromptLearner(
        text_encoder=encoder, class_names=open_clip.IMAGENET_CLASSNAMES[:count]
    ).to('meta')
    encoder.to('meta')
    operations = []
    for prompts in (learner.packed, learner.forward):
        with FlopCounterMode(display=False) as counter:
            encoder(prompts(encoder), learner.layout).sum().backward()
        operations.append(counter.get_total_flops())
    assert operations[1] > ratio * operations[0]
