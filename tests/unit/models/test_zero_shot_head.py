import open_clip
import pytest
import torch
import torch.nn.functional as F
from mmpretrain.structures import DataSample

from mmcoop.models.zero_shot_head import ZeroShotHead

NAMES = ['dog', 'hot_dog', 'kite (bird of prey)']


def expected(clip, templates):
    model = open_clip.create_model(clip['name'])
    tokenizer = open_clip.get_tokenizer(clip['name'])
    features = [
        F.normalize(
            model.encode_text(
                tokenizer([t.format(n.replace('_', ' ')) for n in NAMES])
            ),
            dim=-1,
        )
        for t in templates
    ]
    return F.normalize(torch.stack(features).mean(0), dim=-1)


@pytest.mark.parametrize(
    'template',
    [
        'a photo of a {}.',
        ['a photo of a {}.', 'itap of the {}.', 'art of the {} and more.'],
    ],
)
def test_features_are_open_clips(clip, template):
    head = ZeroShotHead(clip, NAMES, template=template)
    templates = [template] if isinstance(template, str) else template
    torch.testing.assert_close(head.text_features, expected(clip, templates))
    assert not list(head.parameters())
    assert not head.state_dict()


@pytest.mark.parametrize(
    ('name', 'count'), [('imagenet_7', 7), ('openai_80', 80)]
)
def test_published_ensembles(clip, name, count):
    head = ZeroShotHead(clip, NAMES, template=name)
    assert len(head.templates) == count
    torch.testing.assert_close(
        head.text_features, expected(clip, head.templates)
    )


def test_encodes_once(clip, monkeypatch):
    head = ZeroShotHead(clip, NAMES).eval()
    calls = []
    encode = head.encode_text
    monkeypatch.setattr(
        head, 'encode_text', lambda: calls.append(1) or encode()
    )
    for _ in range(3):
        head((torch.randn(2, 16),))
    assert len(calls) == 1


@pytest.mark.parametrize(
    'template', ['a photo', '{} and {}', '{0:>{1}', '{x}', []]
)
def test_bad_template(clip, template):
    with pytest.raises(ValueError, match="'a photo of a"):
        ZeroShotHead(clip, NAMES, template=template)


def test_prompt_that_does_not_fit(clip):
    with pytest.raises(ValueError, match='77 that .* takes: shorten it'):
        ZeroShotHead(clip, ['dog ' * 80])


def test_nothing_to_train(clip):
    head = ZeroShotHead(clip, NAMES)
    with pytest.raises(RuntimeError, match='nothing to train'):
        head.loss((torch.randn(1, 16),), [DataSample().set_gt_label(0)])
