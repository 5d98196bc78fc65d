"""A context of the original, converted, gives the original's logits."""

from pathlib import Path

import numpy as np
import pytest
import torch
from golden import CASES, CLASS_NAMES
from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmengine.runner import load_checkpoint
from mmpretrain.registry import MODELS

from mmcoop.protocol.official_checkpoint import load_context, our_checkpoint

BASE = Path(__file__).parents[2] / 'configs/_base_/models/coop.py'


@pytest.mark.parametrize('case', CASES, ids=lambda case: case.name)
def test_converted_context_gives_the_originals_logits(
    case, golden_clip, tmp_path
):
    ctx, images, _ = case.inputs()
    state = dict(ctx=ctx, token_prefix=ctx, token_suffix=ctx)
    path = str(tmp_path / 'model.pth.tar-50')
    torch.save(dict(state_dict=state, epoch=50), path)
    torch.save(
        our_checkpoint(load_context(path).ctx, 50, CLASS_NAMES),
        tmp_path / 'ours.pth',
    )
    cfg = Config.fromfile(BASE).model
    cfg.backbone.clip = cfg.head.clip = golden_clip
    cfg.head.class_names = CLASS_NAMES
    cfg.head.prompt_learner = case.prompt_learner
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        model = MODELS.build(cfg)
    torch.nn.init.zeros_(model.head.prompt_learner.ctx)
    load_checkpoint(model, str(tmp_path / 'ours.pth'), strict=True)
    model.eval()
    with torch.no_grad():
        logits = model.head(model.backbone(images[:6]))
    # float32 in another order of operations
    np.testing.assert_allclose(
        logits, case.numbers['logits'], rtol=1e-5, atol=1e-4
    )
