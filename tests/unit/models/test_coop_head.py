import io

import pytest
import torch
from mmengine.logging import MessageHub
from mmengine.model import BaseDataPreprocessor
from mmengine.optim import build_optim_wrapper
from mmengine.runner.checkpoint import (
    get_state_dict,
    load_state_dict,
    weights_to_cpu,
)
from mmpretrain.structures import DataSample

from mmcoop.registry import MODELS

NAMES = ['dog', 'hot dog', 'black-footed albatross']


@pytest.fixture(autouse=True)
def no_run():
    """No names from what another test trained on."""
    MessageHub.get_current_instance().update_info('dataset_meta', None)


def build(clip, class_names=NAMES, **prompt_learner):
    return MODELS.build(
        dict(
            type='mmpretrain.ImageClassifier',
            # Images come normalised.
            data_preprocessor=BaseDataPreprocessor(),
            backbone=dict(type='mmcoop.CLIPVision', clip=clip),
            head=dict(
                type='mmcoop.CoOpHead',
                clip=clip,
                class_names=class_names,
                prompt_learner=prompt_learner,
            ),
        )
    )


def saved(model):
    """What mmengine writes and torch reads back, without code."""
    file = io.BytesIO()
    torch.save(weights_to_cpu(get_state_dict(model)), file)
    file.seek(0)
    return torch.load(file, weights_only=True)


def count_encodings(head, monkeypatch):
    calls = []
    encode = head.encode_text
    monkeypatch.setattr(
        head, 'encode_text', lambda: calls.append(1) or encode()
    )
    return calls


def test_exactly_ctx_trains_and_is_saved(clip):
    model = build(clip)
    ctx = 'head.prompt_learner.ctx'
    assert [name for name, _ in model.named_parameters()] == [ctx]
    assert list(model.state_dict()) == [ctx]
    assert list(get_state_dict(model)) == [ctx]
    optim = build_optim_wrapper(
        model, dict(optimizer=dict(type='SGD', lr=0.1))
    )
    assert [len(g['params']) for g in optim.param_groups] == [1]
    file = io.BytesIO()
    torch.save(model.state_dict(), file)
    assert file.tell() < 10_000


def test_saved_context_loads_without_a_missing_key(clip, caplog):
    model, other = build(clip), build(clip)
    load_state_dict(other, saved(model), strict=True)
    assert torch.equal(
        other.head.prompt_learner.ctx, model.head.prompt_learner.ctx
    )
    with pytest.raises(RuntimeError, match='missing keys'):
        load_state_dict(other, {}, strict=True)


def test_text_features_once_per_step(clip, monkeypatch):
    model = build(clip)
    calls = count_encodings(model.head, monkeypatch)
    for step in range(1, 4):
        model.head((torch.randn(5, 16),)).sum().backward()
        assert len(calls) == step


def test_text_features_once_per_evaluation(clip, monkeypatch):
    head = build(clip).head.eval()
    calls = count_encodings(head, monkeypatch)
    feats = (torch.randn(5, 16),)

    with torch.no_grad():
        first = head(feats)
        assert torch.equal(head(feats), first)
        assert len(calls) == 1

        head.prompt_learner.ctx.add_(0.1)
        assert not torch.equal(head(feats), first)
        assert len(calls) == 2

        load_state_dict(head, saved(build(clip).head))
        assert not torch.equal(head(feats), first)
        assert len(calls) == 3

        head.set_class_names(['a', 'b'])
        assert head(feats).shape == (5, 2)
        assert len(calls) == 4

        head.train().eval()
        head(feats)
        assert len(calls) == 5


def test_new_names_for_a_unified_context(clip):
    model = build(clip)
    few = build(clip, class_names=['okapi', 'zebra'])
    load_state_dict(few, saved(model), strict=True)
    few.head.set_class_names(NAMES)
    feats = (torch.randn(4, 16),)
    torch.testing.assert_close(few.head(feats), model.head(feats))


def test_names_come_with_the_checkpoint(clip):
    bare = build(clip, class_names=None).eval()
    with pytest.raises(ValueError, match='the head has no class names'):
        bare.head((torch.randn(4, 16),))
    load_state_dict(bare, saved(build(clip)))
    assert bare.head.class_names == tuple(NAMES)
    assert bare.head((torch.randn(4, 16),)).shape == (4, 3)


def test_names_come_from_the_training_data(clip):
    head = build(clip, class_names=None).head
    MessageHub.get_current_instance().update_info(
        'dataset_meta', dict(classes=NAMES)
    )
    assert head((torch.randn(4, 16),)).shape == (4, 3)
    assert head.class_names == tuple(NAMES)


def test_training_data_of_other_classes(clip):
    head = build(clip).head
    MessageHub.get_current_instance().update_info(
        'dataset_meta', dict(classes=['a', 'b'])
    )
    with pytest.raises(ValueError, match='3 entries but .* 2 classes'):
        head.loss((torch.randn(1, 16),), [DataSample().set_gt_label(0)])


@pytest.mark.parametrize('label', [-1, 3])
def test_label_without_a_name(clip, label):
    head = build(clip).head
    sample = DataSample(img_path='x.png').set_gt_label(label)
    with pytest.raises(ValueError, match=f'label {label} of x.png'):
        head.loss((torch.randn(1, 16),), [sample])


def test_class_specific_checkpoint_of_other_classes(clip):
    kwargs = dict(num_context=2, class_specific=True)
    state = saved(build(clip, class_names=['a', 'b', 'c'], **kwargs))
    model = build(clip, class_names=['a', 'b', 'd'], **kwargs)
    with pytest.raises(ValueError, match=r"first 'c', not 'd': CSC"):
        load_state_dict(model, state)
    fewer = build(clip, class_names=['a', 'b'], **kwargs)
    with pytest.raises(ValueError, match='2 entries, .* learned for 3'):
        load_state_dict(fewer, state)


def test_checkpoint_of_another_clip(clip, other_clip, wide_clip):
    state = saved(build(clip))
    with pytest.raises(ValueError, match='only with the CLIP that it was'):
        load_state_dict(build(other_clip), state)
    with pytest.raises(ValueError, match='only with the CLIP'):
        load_state_dict(build(wide_clip), state)


def test_backbone_of_another_clip(clip):
    head = build(clip).head
    with pytest.raises(ValueError, match='features of 24 numbers.*16'):
        head((torch.randn(2, 24),))


def test_zero_features_give_no_nan(clip):
    assert head_logits_are_finite(build(clip), torch.zeros(2, 16))


def head_logits_are_finite(model, features):
    return bool(model.head((features,)).isfinite().all())


@pytest.mark.parametrize('precision', ['fp16', 'bf16'])
def test_half_precision_towers(clip, precision):
    full = build(clip)
    half = build(dict(clip, precision=precision))
    half.load_state_dict(full.state_dict())
    assert half.head.prompt_learner.ctx.dtype == torch.float32
    images = torch.randn(4, 3, 16, 16)
    logits = half(images)
    assert logits.dtype == torch.float32
    # Logits reach 1 / 0.07; half precision keeps about 3 digits, bf16 2.
    torch.testing.assert_close(logits, full(images), atol=0.2, rtol=0)
    logits.sum().backward()
    assert half.head.prompt_learner.ctx.grad.isfinite().all()


def test_autocast(clip):
    model = build(clip)
    images = torch.randn(4, 3, 16, 16)
    expected = model(images)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        logits = model(images)
    assert logits.dtype == torch.float32
    torch.testing.assert_close(logits, expected, atol=0.2, rtol=0)
    logits.sum().backward()
    assert model.head.prompt_learner.ctx.grad.dtype == torch.float32
