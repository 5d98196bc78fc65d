"""A run of seconds that something ends at a moment that is asked for.

What it learns hangs on everything that a run must take up where it was left:
the order of the samples, their augmentation, the state of the generators,
momentum and schedule. As `killed_run`, it can be imported by tests, and by
the config that `write_config` writes.
"""

import os
import signal
from pathlib import Path
from typing import Any

import numpy as np
import tiny_run
import torch
from mmengine.hooks import Hook
from mmengine.logging import HistoryBuffer
from mmengine.runner import CheckpointLoader, Runner

from mmcoop.registry import DATASETS, HOOKS

MORE = """
custom_imports = dict(
    imports=['mmcoop', 'tiny_run', 'killed_run'], allow_failed_imports=False)
train_dataloader.update(
    sampler=dict(type='mmcoop.EpochSampler', shuffle=True),
    dataset=dict(
        type='mmcoop.SeededSamples',
        dataset=dict(type='mmcoop.NoisyFeatures', num_images=50)))
train_cfg = dict(by_epoch=True, max_epochs=4, val_interval=1)
default_hooks = dict(
    checkpoint=dict(max_keep_ckpts=2, save_best='accuracy/top1'),
    logger=dict(interval=1))
custom_hooks = [dict(type='mmcoop.JitterHook'), dict(type='mmcoop.EndHook')]
"""
MOMENT = 'MMCOOP_TEST_END'
ITERATIONS = 4
# Of what a log holds, what no two runs share: clocks, paths, and the page
# about a run, which shows where its sessions began
UNSHARED = {
    *('time', 'data_time', 'eta', 'memory', 'run_report'),
    *('cfg', 'experiment_name', 'last_ckpt', 'best_ckpt'),
}


@DATASETS.register_module()
class NoisyFeatures(tiny_run.RandomFeatures):
    """Augmented: the features have noise of the global generator."""

    def __getitem__(self, index: int) -> dict[str, Any]:
        sample = super().__getitem__(index)
        noise = torch.randn(16) * np.random.rand()
        return dict(sample, inputs=sample['inputs'] + noise)


@HOOKS.register_module()
class JitterHook(Hook):
    """Let what is learned depend on the state of the generators."""

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch=None, outputs=None
    ) -> None:
        model = getattr(runner.model, 'module', runner.model)
        ctx = model.head.prompt_learner.ctx
        with torch.no_grad():
            ctx.add_(0.01 * torch.randn_like(ctx))


@HOOKS.register_module()
class EndHook(Hook):
    """End the process, as the environment says: ``SIGNAL:MOMENT:NUMBER``.

    The moments are ``step`` (the optimiser has changed the context, but the
    iteration is not over), ``evaluation`` (second batch), ``fsync`` (a file
    is written, but does not have its name) and ``remove``; the number says
    which. The signals ``SIGINT-group`` and ``SIGTERM-group`` come to all
    processes of the run.
    """

    def before_train(self, runner: Runner) -> None:
        if MOMENT not in os.environ:
            return
        self.signal, self.moment, number = os.environ[MOMENT].split(':')
        self.left = int(number)
        # The tests' own processes are in the group that this one leaves.
        if os.getpgrp() != os.getpid():
            os.setpgid(0, 0)
        runner.optim_wrapper.optimizer.register_step_post_hook(
            lambda *args: self._count('step')
        )
        for name in ('fsync', 'remove'):
            setattr(os, name, self._counted(name, getattr(os, name)))

    def before_val_iter(
        self, runner: Runner, batch_idx: int, data_batch=None
    ) -> None:
        if MOMENT in os.environ and batch_idx == 1:
            self._count('evaluation')

    def _counted(self, name: str, function: Any) -> Any:
        def count(*args: Any) -> None:
            self._count(name)
            function(*args)

        return count

    def _count(self, moment: str) -> None:
        if moment != self.moment:
            return
        self.left -= 1
        if self.left == 0:
            name, _, group = self.signal.partition('-')
            end = os.killpg if group else os.kill
            end(os.getpid(), getattr(signal, name))


def write_config(folder: Path, more: str = '') -> Path:
    """Write the config of such a run; see `tiny_run.write_config`."""
    return tiny_run.write_config(folder, MORE + more)


def last_state(work_dir: Path) -> dict[str, Any]:
    """Read what a run ended with, without what no two runs share.

    Returns:
        dict: Of plain values, to be compared with ``==``.
    """
    path = (work_dir / 'last_checkpoint').read_text()
    return plain(load(work_dir / Path(path).name))


def load(path: Path) -> dict:
    return CheckpointLoader.load_checkpoint(str(path), 'cpu')


def plain(checkpoint: dict) -> dict[str, Any]:
    """Give the bits of a checkpoint in a form that ``==`` compares."""
    meta = {key: checkpoint['meta'][key] for key in ('epoch', 'iter', 'seed')}
    kept = {key: value for key, value in checkpoint.items() if key != 'meta'}
    return _plain(dict(kept, meta=meta))


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            str(key): _plain(item)
            for key, item in value.items()
            if str(key).split('/')[-1] not in UNSHARED
        }
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, HistoryBuffer):
        return [repr(array.tolist()) for array in value.data]
    if isinstance(value, torch.Tensor):
        return (str(value.dtype), repr(value.tolist()))
    return value
