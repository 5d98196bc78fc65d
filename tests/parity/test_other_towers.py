"""Towers of every kind that open_clip has: packed, plain, or refused."""

import json
from collections import Counter

import open_clip
import pytest
import torch
from torch.overrides import TorchFunctionMode

from mmcoop.models.clip import _take, text_encoder
from mmcoop.models.prompt_learner import PromptLearner

VISION = dict(image_size=16, layers=1, width=16, patch_size=8, head_width=8)
TEXT = dict(context_length=24, vocab_size=49408, width=32, heads=2, layers=2)
COCA = dict(
    custom_text=True,
    text_cfg=dict(TEXT, embed_cls=True, output_tokens=True),
    multimodal_cfg=dict(
        context_length=24, vocab_size=49408, width=32, heads=2, layers=1
    ),
)
KINDS = dict(
    causal=(dict(text_cfg=TEXT), None),
    custom_text=(dict(custom_text=True, text_cfg=TEXT), None),
    bidirectional=(
        dict(custom_text=True, text_cfg=dict(TEXT, no_causal_mask=True)),
        'not causal',
    ),
    bidirectional_last=(
        dict(
            custom_text=True,
            init_logit_bias=-10,
            text_cfg=dict(
                TEXT, no_causal_mask=True, pool_type='last', proj_bias=True
            ),
        ),
        'not causal',
    ),
    custom_blocks=(
        dict(custom_text=True, text_cfg=dict(TEXT, qk_norm=True)),
        'CustomResidualAttentionBlock',
    ),
    coca=(COCA, 'adds a token'),
)


def build(kind, folder):
    """A tower with random weights, and open_clip's own of the same."""
    cfg, plain_because = KINDS[kind]
    cfg = dict(embed_dim=16, vision_cfg=VISION) | cfg
    if kind == 'coca':
        vision = dict(
            VISION, attentional_pool=True, attn_pooler_heads=2,
            output_tokens=True,
        )  # fmt: skip
        cfg['vision_cfg'] = vision
    config = dict(model_cfg=cfg, preprocess_cfg={})
    (folder / 'open_clip_config.json').write_text(json.dumps(config))
    torch.manual_seed(0)
    name = f'local-dir:{folder}'
    model = open_clip.create_model(name).eval()
    torch.save(model.state_dict(), folder / 'open_clip_pytorch_model.bin')
    return text_encoder(dict(name=name)), model, plain_because


@pytest.mark.parametrize('kind', KINDS)
def test_words_as_context_give_open_clips_features(kind, tmp_path):
    encoder, model, plain_because = build(kind, tmp_path)
    if plain_because is None:
        assert encoder.plain_because is None
    else:
        assert plain_because in encoder.plain_because
    learner = PromptLearner(
        ctx_init='a photo of a',
        text_encoder=encoder,
        class_names=['dog', 'hot_dog', 'black-footed albatross'],
    )
    texts = ['dog', 'hot dog', 'black-footed albatross']
    texts = [f'a photo of a {name}.' for name in texts]
    ids = open_clip.SimpleTokenizer()(texts, context_length=24)
    encode = getattr(model, '_encode_text', None)
    expected = (
        encode(ids, normalize=False)[0] if encode else model.encode_text(ids)
    )
    forms = [learner(encoder)]
    if plain_because is None:
        forms.append(learner.packed(encoder))
    for prompts in forms:
        features = encoder(prompts, learner.layout)
        torch.testing.assert_close(features, expected, rtol=1e-5, atol=1e-6)
        learner.ctx.grad = None
        features.sum().backward()
        assert learner.ctx.grad.abs().max() > 0


class WithoutValues(TorchFunctionMode):
    """Skip what only fills tensors: on the meta device it gives nothing."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if func.__name__ in ('normal_', 'uniform_', 'erfinv_', 'clamp_'):
            return args[0] if args else kwargs['tensor']
        return func(*args, **kwargs)


@pytest.mark.slow
def test_every_model_of_open_clip():
    """Each is supported, or refused by name with the reason."""
    reasons, messages = Counter(), {}
    names = open_clip.list_models()
    for name in names:
        with torch.device('meta'), WithoutValues():
            try:
                encoder = _take(dict(name=name), 'text')
                _take(dict(name=name), 'image')
                reasons[encoder.plain_because] += 1
            except ValueError as error:
                messages[name] = str(error)
    assert all(name in message for name, message in messages.items())
    assert all('of Hugging Face' in message for message in messages.values())
    assert sum(reasons.values()) + len(messages) == len(names) >= 144
    assert sum(reasons.values()) >= 134
    assert reasons[None] >= 92
    assert reasons['its text tower is not causal'] >= 39
    assert reasons['it adds a token at the end'] >= 3
