"""Packed prompts against the plain 77-token form of open_clip's modules.

In float32, 1e-5 relative: the same sums in another order. In float64, 1e-11:
a mistake in the structure could hide behind rounding, and there it cannot.
"""

import json

import open_clip
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mmcoop.models.clip import text_encoder
from mmcoop.models.prompt_learner import PromptLearner

WORDS = st.sampled_from(
    [
        'dog',
        'cat',
        'hot',
        'black',
        'footed',
        'albatross',
        '(',
        ')',
        'crème',
        '2012',
        'BMW',
        't-shirt',
        '!',
    ]
)
NAMES = st.lists(WORDS, min_size=1, max_size=14).map(' '.join)


@pytest.fixture(scope='module')
def encoder(tmp_path_factory):
    """Positions and attention strong enough that every token counts."""
    folder = tmp_path_factory.mktemp('clip')
    cfg = dict(
        embed_dim=24,
        vision_cfg=dict(
            image_size=16, layers=1, width=16, patch_size=8, head_width=8
        ),
        text_cfg=dict(
            context_length=77, vocab_size=49408, width=32, heads=4, layers=3
        ),
    )
    torch.manual_seed(0)
    model = open_clip.CLIP(**cfg)
    torch.nn.init.normal_(model.positional_embedding, std=0.1)
    for block in model.transformer.resblocks:
        torch.nn.init.normal_(block.attn.in_proj_weight, std=0.3)
    torch.save(model.state_dict(), folder / 'open_clip_pytorch_model.bin')
    (folder / 'open_clip_config.json').write_text(
        json.dumps(dict(model_cfg=cfg, preprocess_cfg={}))
    )
    encoder = text_encoder(dict(name=f'local-dir:{folder}'))
    assert encoder.plain_because is None
    return encoder


def both(encoder, names, dtype=torch.float32, **options):
    """Features and gradients, packed and plain."""
    torch.manual_seed(0)
    encoder.to(dtype)
    learner = PromptLearner(text_encoder=encoder, class_names=names, **options)
    learner.to(dtype).ctx.data.mul_(25)
    weights = torch.randn(len(names), encoder.embed_dim, dtype=dtype)
    results = []
    for prompts in (learner.packed(encoder), learner(encoder)):
        learner.ctx.grad = None
        features = encoder(prompts, learner.layout)
        (features * weights).sum().backward()
        results.append((features.detach(), learner.ctx.grad.clone()))
    return results, learner.layout


def relative(a, b):
    return ((a - b).abs().max() / b.abs().max()).item()


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    names=st.lists(NAMES, min_size=1, max_size=7),
    num_context=st.integers(1, 34),
    position=st.sampled_from(['end', 'middle', 'front']),
    class_specific=st.booleans(),
)
def test_features_and_gradients(
    encoder, names, num_context, position, class_specific
):
    (packed, plain), layout = both(
        encoder,
        names,
        num_context=num_context,
        class_token_position=position,
        class_specific=class_specific,
    )
    assert relative(packed[0], plain[0]) < 1e-5
    assert relative(packed[1], plain[1]) < 1e-5
    assert layout.num_tokens < 77 * len(names)


def test_the_longest_context(encoder):
    (packed, plain), layout = both(encoder, ['dog', 'cat'], num_context=73)
    assert relative(packed[0], plain[0]) < 1e-5
    assert relative(packed[1], plain[1]) < 1e-5
    assert layout.num_prefix == 74


def test_a_thousand_classes(encoder):
    (packed, plain), layout = both(
        encoder, list(open_clip.IMAGENET_CLASSNAMES), num_context=16
    )
    assert relative(packed[0], plain[0]) < 1e-5
    assert relative(packed[1], plain[1]) < 1e-5
    # 17 shared rows and 4,165 of their own, instead of 77,000.
    assert layout.num_prefix == 17
    assert layout.num_tokens == 17 + 4165


@pytest.mark.parametrize(
    ('position', 'class_specific', 'prefix'),
    [
        ('end', False, 17),
        ('middle', False, 9),
        ('front', False, 1),
        ('end', True, 1),
        ('middle', True, 1),
        ('front', True, 1),
    ],
)
def test_what_classes_share(encoder, position, class_specific, prefix):
    learner = PromptLearner(
        text_encoder=encoder,
        class_names=['dog', 'cat'],
        class_token_position=position,
        class_specific=class_specific,
    )
    assert learner.layout.num_prefix == prefix


def test_names_that_begin_alike_share_more(encoder):
    learner = PromptLearner(
        text_encoder=encoder, class_names=['black cat', 'black dog']
    )
    assert learner.layout.num_prefix == 18
