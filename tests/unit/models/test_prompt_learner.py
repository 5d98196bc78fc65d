import pytest
import torch

from mmcoop.models.clip import text_encoder
from mmcoop.models.prompt_learner import PromptLearner

NAMES = ('dog', 'hot dog', 'black-footed albatross')


@pytest.fixture
def encoder(clip):
    return text_encoder(clip)


def learner(encoder, **kwargs):
    kwargs.setdefault('class_names', NAMES)
    return PromptLearner(text_encoder=encoder, **kwargs)


@pytest.mark.parametrize(
    ('kwargs', 'shape'),
    [
        (dict(), (16, 32)),
        (dict(num_context=4), (4, 32)),
        (dict(ctx_init='a photo of a'), (4, 32)),
        (dict(ctx_init='a_photo_of_a', num_context=4), (4, 32)),
        (dict(num_context=2, class_specific=True), (3, 2, 32)),
        (dict(ctx_init='a photo', class_specific=True), (3, 2, 32)),
    ],
)
def test_shape_of_context(encoder, kwargs, shape):
    ctx = learner(encoder, **kwargs).ctx
    assert ctx.shape == shape
    assert ctx.dtype == torch.float32
    assert ctx.requires_grad


def test_random_start(encoder):
    ctx = learner(encoder, num_context=64, class_names=['a']).ctx
    assert ctx.std().item() == pytest.approx(0.02, rel=0.1)
    torch.manual_seed(3)
    first = learner(encoder).ctx
    torch.manual_seed(3)
    assert torch.equal(learner(encoder).ctx, first)


def test_start_from_words_of_several_tokens(encoder, caplog):
    # "emoticon" alone is more than one token.
    ctx = learner(encoder, ctx_init='emoticon of').ctx
    ids = encoder.tokenizer(['emoticon of'])[0]
    assert len(ctx) == int(ids.argmax()) - 1 > 2
    assert torch.equal(ctx, encoder.token_embedding(ids[1 : 1 + len(ctx)]))


def test_only_context_rows_carry_gradient(encoder):
    prompts = learner(encoder, num_context=2)
    rows = prompts.packed(encoder)
    rows.sum().backward()
    # Each vector stands in one shared row.
    assert torch.equal(prompts.ctx.grad, torch.ones(2, 32))
    plain = prompts(encoder)
    assert plain.shape == (3, 77, 32)
    assert torch.equal(plain[0, 1:3], prompts.ctx)


def test_longest_context_that_fits(encoder):
    prompts = learner(encoder, num_context=73, class_names=['dog'])
    assert int(prompts.layout.eos_row) == 76
    with pytest.raises(ValueError, match="in tokens: 'dog' by 1"):
        learner(encoder, num_context=74, class_names=['dog'])


@pytest.mark.parametrize(
    ('kwargs', 'error', 'message'),
    [
        (
            dict(class_token_position='start'),
            ValueError,
            "'start'.*'end', 'middle', 'front'",
        ),
        (
            dict(num_context=3, ctx_init='a photo of a'),
            ValueError,
            "num_context is 3 but ctx_init 'a photo of a' has 4 tokens",
        ),
        (dict(num_context=0), ValueError, 'at least 1'),
        (dict(num_context=4.0), TypeError, 'is 4.0, a float'),
        (dict(ctx_init=' _ '), ValueError, 'holds no word'),
        (
            dict(class_specific=True, class_names=None),
            ValueError,
            'needs its class names',
        ),
        (
            dict(class_names=('dog', 'very ' * 70 + 'big dog')),
            ValueError,
            r'1 of 2 class names do not fit the 77 tokens.*by 14',
        ),
    ],
)
def test_bad_options(encoder, kwargs, error, message):
    with pytest.raises(error, match=message):
        learner(encoder, **kwargs)


@pytest.mark.parametrize(
    ('loaded', 'message'),
    [
        ((16, 64), 'load the CLIP that'),
        ((4, 32), 'is unified, M = 4, D = 32, but .* M = 16.*Set num_context'),
        ((3, 16, 32), 'class-specific, K = 3.*model.s is unified'),
        ((32,), 'Is it a CoOp checkpoint'),
    ],
)
def test_checkpoint_of_another_shape(encoder, loaded, message):
    prompts = learner(encoder)
    with pytest.raises(ValueError, match=message):
        prompts.load_state_dict(dict(ctx=torch.zeros(loaded)))


def test_class_specific_context_of_other_classes(encoder):
    prompts = learner(encoder, class_specific=True)
    with pytest.raises(ValueError, match='K = 4.*Pass those class_names'):
        prompts.load_state_dict(dict(ctx=torch.zeros(4, 16, 32)))
    with pytest.raises(ValueError, match='has 2 entries but .* has 3'):
        prompts.set_class_names(['a', 'b'], encoder)
