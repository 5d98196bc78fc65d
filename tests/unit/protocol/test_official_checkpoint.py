import os
import pickle
import subprocess
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmengine.runner import load_checkpoint
from mmpretrain.registry import MODELS
from tool_process import run_tool

from mmcoop.protocol.official_checkpoint import (
    load_context,
    official_checkpoint,
    our_checkpoint,
)

ROOT = Path(__file__).parents[3]
TOOL = ROOT / 'tools' / 'convert_checkpoint.py'
NAMES = ['dog', 'hot_dog', 'kite']


def save_as_the_original(path, ctx):
    """Save what Dassl saves: with objects of torch in it."""
    parameter = torch.nn.Parameter(ctx)
    optimizer = torch.optim.SGD([parameter], lr=0.002, momentum=0.9)
    parameter.sum().backward()
    optimizer.step()
    after = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 50)
    # Its warm-up scheduler keeps the one that follows as an attribute, and
    # its state is all of its attributes.
    scheduler = dict(successor=after, last_epoch=50, base_lrs=[0.002])
    state = dict(ctx=ctx, token_prefix=ctx[..., :1, :], token_suffix=ctx)
    torch.save(
        dict(
            state_dict=state,
            epoch=50,
            optimizer=optimizer.state_dict(),
            scheduler=scheduler,
            val_result=None,
        ),
        path,
    )


@pytest.mark.parametrize('dtype', [torch.float32, torch.float16])
@pytest.mark.parametrize('shape', [(4, 8), (3, 4, 8)])
def test_reads_the_originals(tmp_path, dtype, shape):
    ctx = torch.randn(shape).to(dtype)
    path = str(tmp_path / 'model.pth.tar-50')
    save_as_the_original(path, ctx)
    context = load_context(path)
    assert context.is_official
    assert context.epoch == 50
    assert context.ctx.dtype == torch.float32
    assert torch.equal(context.ctx, ctx.float())


@pytest.mark.parametrize('shape', [(4, 8), (3, 4, 8)])
def test_there_and_back(tmp_path, shape):
    ctx = torch.randn(shape)
    ours, theirs = str(tmp_path / 'ours.pth'), str(tmp_path / 'theirs')
    torch.save(our_checkpoint(ctx, 7, NAMES), ours)
    context = load_context(ours)
    assert not context.is_official
    assert (context.epoch, context.class_names) == (7, tuple(NAMES))
    torch.save(official_checkpoint(context.ctx, context.epoch), theirs)
    back = load_context(theirs)
    assert (back.is_official, back.epoch) == (True, 7)
    assert torch.equal(back.ctx, ctx)
    # The original reads these keys.
    written = torch.load(theirs, weights_only=True)
    assert {'state_dict', 'epoch', 'val_result'} <= set(written)
    assert list(written['state_dict']) == ['ctx']


class Evil:
    def __init__(self, call, *args):
        self.call = call, args

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize(
    'call',
    [
        lambda path: Evil(os.system, f'touch {path}'),
        lambda path: Evil(
            eval, f'__import__("pathlib").Path({str(path)!r}).touch()'
        ),
        lambda path: Evil(os.mkdir, str(path)),
        lambda path: Evil(subprocess.getoutput, f'touch {path}'),
    ],
)
def test_code_in_a_file_is_not_run(tmp_path, call):
    mark = tmp_path / 'mark'
    path = str(tmp_path / 'model.pth.tar-50')
    state = dict(ctx=torch.zeros(4, 8))
    torch.save(dict(state_dict=state, scheduler=call(mark)), path)
    with pytest.raises(pickle.UnpicklingError, match='refused'):
        load_context(path)
    assert not mark.exists()
    # The trap is one.
    torch.load(path, weights_only=False)
    assert mark.exists()


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        ({'state_dict': {'fc': torch.ones(1)}}, 'has no context: .* found fc'),
        ({'epoch': 3}, 'has no context: .* found none'),
        ([1, 2], 'has no context'),
        ({'state_dict': {'ctx': torch.ones(3)}}, r'of shape \(3,\)'),
        ({'state_dict': {'ctx': torch.ones(2, 2).long()}}, 'torch.int64'),
    ],
)
def test_other_files_are_refused(tmp_path, content, message):
    path = str(tmp_path / 'file.pth')
    torch.save(content, path)
    with pytest.raises(ValueError, match=message):
        load_context(path)


def test_missing_file_is_reported(tmp_path):
    with pytest.raises(FileNotFoundError, match='does not exist'):
        load_context(str(tmp_path / 'model.pth.tar-50'))


def convert(folder, *args):
    return run_tool('convert_checkpoint.py', *args, cwd=folder)


@pytest.mark.parametrize('class_specific', [False, True])
def test_tool_gives_what_a_model_loads(tmp_path, class_specific):
    cfg = Config.fromfile(ROOT / 'configs/_base_/models/coop.py').model
    cfg.backbone.clip = cfg.head.clip = dict(name='embedded:tiny_clip')
    cfg.head.class_names = NAMES
    cfg.head.prompt_learner.update(
        num_context=4, class_specific=class_specific
    )
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        model = MODELS.build(cfg)
    ctx = torch.randn(model.head.prompt_learner.ctx.shape)
    save_as_the_original(tmp_path / 'model.pth.tar-50', ctx)
    (tmp_path / 'names.txt').write_text('\n'.join(NAMES))
    done = convert(
        tmp_path,
        *('model.pth.tar-50', 'ours.pth', '--class-names', 'names.txt'),
    )
    assert done.returncode == 0, done.stdout
    assert 'num_context=4' in done.stdout
    load_checkpoint(model, str(tmp_path / 'ours.pth'), strict=True)
    assert torch.equal(model.head.prompt_learner.ctx.detach(), ctx)


def test_tool_explains_what_it_refuses(tmp_path):
    torch.save(our_checkpoint(torch.ones(2, 4, 8)), tmp_path / 'csc.pth')
    (tmp_path / 'names.txt').write_text('\n'.join(NAMES))
    done = convert(tmp_path, 'csc.pth', 'out', '--class-names', 'names.txt')
    assert done.returncode == 1
    assert 'has 3 names, but the class-specific context is for 2' in (
        done.stdout
    )
    assert not (tmp_path / 'out').exists()
    done = convert(tmp_path, 'none', 'out')
    assert 'convert_checkpoint.py: error: The checkpoint' in done.stdout
