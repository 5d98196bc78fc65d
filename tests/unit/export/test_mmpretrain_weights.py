"""mmpretrain's own backbone in the place of CLIP's image tower."""

import pytest
import torch
from mmpretrain.registry import MODELS
from torch import nn

from mmcoop.export.fixed_classifier import fix
from mmcoop.export.mmpretrain_weights import (
    backbone_and_neck,
    convert_weights,
    why_not,
)

KINDS = {
    'GELU': dict(),
    'QuickGELU': dict(model_cfg=dict(quick_gelu=True)),
    'no norm before the blocks': dict(no_ln_pre=True),
    'wide MLP': dict(mlp_ratio=5.0, head_width=4),
    'an image that is no square': dict(image_size=[16, 24]),
    'eps': dict(norm_kwargs=dict(eps=0.01)),
    'approximate GELU': dict(act_kwargs=dict(approximate='tanh')),
    'norm after pooling': dict(final_ln_after_pool=True),
}


def build(parts, state):
    """Make mmpretrain's backbone and neck, with all weights from a state."""
    parts = {
        name: MODELS.build(dict(cfg, _scope_='mmpretrain'))
        for name, cfg in parts.items()
    }
    module = nn.ModuleDict(parts)
    module.load_state_dict(state)
    module.train(False)
    return lambda images: parts['neck'](parts['backbone'](images))[0]


@pytest.mark.parametrize('kind', KINDS)
@torch.no_grad()
def test_features_are_the_same(make, kind):
    visual = fix(make(**KINDS[kind])).tower.visual
    assert why_not(visual) is None
    features = build(backbone_and_neck(visual), convert_weights(visual))
    images = torch.randn(3, 3, *visual.image_size)
    expected = visual(images)
    # Not by chance: these features tell images apart
    assert expected.std(dim=0).min() > 0.01
    torch.testing.assert_close(
        features(images), expected, atol=1e-5, rtol=1e-5
    )


def test_clip_s_resnet_is_not_carried(resnet):
    reason = why_not(fix(resnet).tower.visual)
    assert reason.startswith("CLIP's ResNet pools by attention")


@pytest.mark.parametrize(
    ('options', 'reason'),
    [
        (dict(pool_type='avg'), 'does not pool by its class token'),
        (dict(ls_init_value=0.1), 'scales its layers'),
        (dict(scale_fc=True), 'has CustomResidualAttentionBlocks'),
        (dict(image_size=20), 'patches do not fill the image'),
    ],
)
def test_other_towers_are_not_carried(make, options, reason):
    assert reason in why_not(fix(make(**options)).tower.visual)
