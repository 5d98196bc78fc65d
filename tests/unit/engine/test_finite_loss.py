"""Runs whose numbers go wrong stop, and save nothing of it."""

import math
import re
from pathlib import Path
from uuid import uuid4

import pytest
import tiny_run
import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.optim import OptimWrapper
from mmengine.registry import OPTIM_WRAPPERS
from mmengine.runner import CheckpointLoader, Runner

from mmcoop.engine import finite_loss
from mmcoop.engine.finite_loss import NotFiniteError

CTX = 'head.prompt_learner.ctx'


@OPTIM_WRAPPERS.register_module()
class ScaledOnCPU(OptimWrapper):
    """What mmengine's AmpOptimWrapper does with its scaler, on the CPU."""

    def __init__(self, init_scale=2.0**16, **kwargs):
        super().__init__(**kwargs)
        self.loss_scaler = torch.amp.GradScaler('cpu', init_scale)

    def backward(self, loss, **kwargs):
        self.loss_scaler.scale(loss).backward(**kwargs)
        self._inner_count += 1

    def step(self, **kwargs):
        self.loss_scaler.step(self.optimizer, **kwargs)
        self.loss_scaler.update()


@pytest.fixture(scope='module')
def config(tmp_path_factory) -> Path:
    return tiny_run.write_config(tmp_path_factory.mktemp('finite'))


@pytest.fixture
def build(config, tmp_path):
    """Make a run of 3 epochs of 4 batches of 12 images."""

    def build(**options) -> Runner:
        cfg = Config.fromfile(config)
        cfg.work_dir = str(tmp_path)
        # mmengine names runs by the second that they are made in.
        cfg.experiment_name = f'finite-{uuid4()}'
        cfg.val_dataloader = cfg.val_evaluator = cfg.val_cfg = None
        cfg.train_cfg.max_epochs = 3
        cfg.merge_from_dict(options)
        return Runner.from_cfg(cfg)

    return build


class InEpoch(Hook):
    """Do something to the model and the data before an epoch."""

    def __init__(self, epoch: int, act) -> None:
        self.epoch = epoch
        self.act = act

    def before_train_epoch(self, runner) -> None:
        if runner.epoch + 1 == self.epoch:
            head = runner.model.head
            self.act(head.prompt_learner.ctx, runner.train_dataloader.dataset)


def spoil_image(ctx, dataset):
    dataset.features[7] = float('nan')


def spoil_gradient(ctx, dataset):
    ctx.register_hook(lambda gradient: gradient * math.inf)


def spoil_images(ctx, dataset):
    dataset.features[:] = float('nan')


def saved(work_dir: Path) -> list[str]:
    """Name the checkpoints, after looking into each."""
    paths = sorted(work_dir.glob('*.pth'))
    for path in paths:
        state = CheckpointLoader.load_checkpoint(str(path), 'cpu')
        assert state['state_dict'][CTX].isfinite().all()
    return [path.name for path in paths]


def test_loss_that_is_none_names_batch_and_checkpoint(build, tmp_path):
    runner = build()
    runner.register_hook(InEpoch(3, spoil_image))
    with pytest.raises(NotFiniteError) as caught:
        runner.train()
    message = str(caught.value)
    found = re.search(r'iteration (\d+) \(epoch 3, batch (\d)\)', message)
    assert int(found[1]) == 8 + int(found[2])
    assert 'the loss is nan' in message
    images = re.search(r'The batch: (.*?)\. The last', message)[1].split(', ')
    assert '7.png' in images
    assert len(images) == 12
    # The schedule's of the third epoch, not the config's
    rate = float(re.search(r'lr=(\S+)\.', message)[1])
    expected = 0.02 * (1 + math.cos(math.pi / 4)) / 2
    assert rate == pytest.approx(expected, rel=1e-4)
    assert f'is kept: {tmp_path}/epoch_2.pth' in message
    assert saved(tmp_path) == ['epoch_1.pth', 'epoch_2.pth']


def test_step_that_spoils_the_context_names_its_own_batch(build, tmp_path):
    runner = build()
    runner.register_hook(InEpoch(2, spoil_gradient))
    # not that of the next step, whose loss would be NaN
    expected = 'ctx is not finite, with a loss of .* iteration 5 '
    with pytest.raises(NotFiniteError, match=expected):
        runner.train()
    assert saved(tmp_path) == ['epoch_1.pth']


@pytest.mark.parametrize('max_keep', [1, 3])
def test_spoiled_context_is_not_saved(build, tmp_path, monkeypatch, max_keep):
    """As on a GPU, where the context is looked at once an epoch."""
    monkeypatch.setattr(finite_loss, '_on_accelerator', lambda runner: True)
    # An epoch is one step: no loss of a next one tells
    runner = build(
        train_dataloader=dict(batch_size=48),
        default_hooks=dict(checkpoint=dict(max_keep_ckpts=max_keep)),
    )
    runner.register_hook(InEpoch(2, spoil_gradient))
    with pytest.raises(NotFiniteError, match='epoch 2.*is not saved.*kept'):
        runner.train()
    assert saved(tmp_path) == ['epoch_1.pth']


def test_context_is_looked_at_when_it_is_saved_between_epochs(
    build, tmp_path, monkeypatch
):
    monkeypatch.setattr(finite_loss, '_on_accelerator', lambda runner: True)
    checkpoint = dict(by_epoch=False, interval=1)
    runner = build(default_hooks=dict(checkpoint=checkpoint))
    runner.register_hook(InEpoch(1, spoil_gradient))
    with pytest.raises(NotFiniteError, match='is not saved'):
        runner.train()
    assert saved(tmp_path) == []


def test_accelerators_are_asked_once_an_epoch(build, monkeypatch):
    monkeypatch.setattr(finite_loss, '_on_accelerator', lambda runner: True)
    looks = []
    monkeypatch.setattr(
        finite_loss, '_not_finite', lambda runner: looks.append(runner.iter)
    )
    build().train()
    # at the end of each epoch, and as its checkpoint is saved
    assert looks == [4, 4, 8, 8, 12, 12]


def scaled(**options) -> dict:
    return dict(optim_wrapper=dict(type='ScaledOnCPU', **options))


def test_scaler_rescues_a_step_that_overflows(build, tmp_path):
    runner = build(**scaled(init_scale=1e38))
    runner.train()
    assert runner.optim_wrapper.loss_scaler.get_scale() < 1e37
    assert saved(tmp_path) == ['epoch_1.pth', 'epoch_2.pth', 'epoch_3.pth']


def test_scaler_rescues_a_loss_that_is_none(build, tmp_path):
    runner = build(**scaled())
    runner.register_hook(InEpoch(2, spoil_image))
    runner.train()
    losses, _ = runner.message_hub.get_scalar('train/loss').data
    assert sum(map(math.isnan, losses)) == 2
    assert len(saved(tmp_path)) == 3


def test_scaler_that_does_not_help_ends_the_run(build, tmp_path):
    runner = build(**scaled(), train_cfg=dict(max_epochs=9))
    runner.register_hook(InEpoch(2, spoil_images))
    with pytest.raises(NotFiniteError, match='the loss is nan.*iteration 25'):
        runner.train()
    assert len(saved(tmp_path)) == 3
