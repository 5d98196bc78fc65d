"""SIGTERM and Ctrl-C: save, say how to go on, and exit."""

import os
import shlex
import signal
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import Any

import torch
from mmengine.dist import all_reduce, barrier, get_world_size
from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmengine.runner import EpochBasedTrainLoop, Runner
from torch.utils.data import BatchSampler

from mmcoop.registry import HOOKS

from .checkpoint_hook import CheckpointHook
from .launch import leave_group
from .run_end import peer_has_gone, what_is_kept

SIGNALS = (signal.SIGTERM, signal.SIGINT)

# Seconds in which a signal that comes again is still the first: a launcher
# passes on what its processes were sent too.
SAME = 2


@HOOKS.register_module()
class StopSignalHook(Hook):
    """End a run on SIGTERM or SIGINT so that it can go on exactly.

    The running iteration ends; then the run is saved and the process exits
    with 128 plus the number of the signal. A second signal, two seconds
    later or more, does at once what it would without this hook. On several
    ranks, all stop after the same iteration.

    To go on within an epoch takes `mmcoop.EpochSampler`, and saving
    `mmcoop.CheckpointHook`. Without the first, what is kept is the last
    checkpoint.
    """

    # Between two iterations: before any hook of the next one
    priority = 'HIGHEST'

    def __init__(self) -> None:
        self.received: int | None = None
        self._fewest = 0
        self._before: dict[int, Any] = {}

    def before_train(self, runner: Runner) -> None:
        """Take over the signals."""
        self._saver = next(
            (
                hook
                for hook in runner.hooks
                if isinstance(hook, CheckpointHook)
            ),
            None,
        )
        if self._saver is None:
            raise ValueError(
                'mmcoop.StopSignalHook saves through mmcoop.CheckpointHook, '
                'which is missing: set default_hooks.checkpoint to '
                "dict(type='mmcoop.CheckpointHook', …), or leave both out."
            )
        if threading.current_thread() is not threading.main_thread():
            return  # Python has signals in the main thread alone.
        self._process = os.getpid()
        self._run = type(runner.train_loop).run.__code__
        for number in SIGNALS:
            # Ignored by whoever started the run, as `nohup` may have it
            if signal.getsignal(number) != signal.SIG_IGN:
                before = signal.signal(number, self._receive)
                self._before[number] = before or signal.SIG_DFL

    def before_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None
    ) -> None:
        """Stop, if any rank was told to."""
        number = self._shared()
        # Gradients that are being accumulated are not saved.
        if number and runner.optim_wrapper.should_update():
            self.received = None  # What fails from now on is an error.
            self._save(runner, batch_idx)
            self._leave_together(runner, number)

    def before_val_epoch(self, runner: Runner) -> None:
        """Find how many batches all ranks have: some may have one more."""
        self._fewest = _of_all_ranks('min', len(runner.val_dataloader))

    def before_val_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None
    ) -> None:
        """Stop; the evaluation begins anew when the run goes on."""
        if batch_idx < self._fewest and (number := self._shared()):
            self.received = None
            self._saver.save_stopped(runner, num_seen=0)
            self._leave_together(runner, number)

    def after_train(self, runner: Runner) -> None:
        """Give the signals back."""
        self._give_back()

    def leave(
        self, runner: Runner, number: int, error: Exception | None = None
    ) -> None:
        """Say how to go on, and exit.

        Args:
            runner (Runner): Of the run.
            number (int): Of the signal.
            error (Exception, optional): Why the iteration did not end.

        Raises:
            SystemExit: With 128 plus the number of the signal.
        """
        self._give_back()
        name = signal.Signals(number).name
        command = resume_command(sys.argv)
        message = f'Stopped by {name} after {runner.iter} iterations'
        if error is not None:
            why = 'another process has gone' if peer_has_gone(error) else error
            message += f', the last of which could not end ({why})'
        message += f'. {what_is_kept(runner.work_dir)}'
        if get_world_size() == 1:
            message += f'\n  {command}'
        print_log(message, logger='current')
        sys.exit(128 + number)

    def _shared(self) -> int:
        """Give the signal that any rank was sent, or 0."""
        return _of_all_ranks('max', self.received or 0)

    def _leave_together(self, runner: Runner, number: int) -> None:
        # Nobody leaves before rank 0 has saved: that would end the job.
        barrier()
        try:
            self.leave(runner, number)
        finally:
            leave_group()

    def _save(self, runner: Runner, batch_idx: int) -> None:
        """Save within an epoch, where it is known how to go on there."""
        loader = runner.train_dataloader
        batches, sampler = loader.batch_sampler, None
        if isinstance(runner.train_loop, EpochBasedTrainLoop):
            if isinstance(batches, BatchSampler):
                sampler = batches.sampler
            if hasattr(sampler, 'go_on'):
                size = batches.batch_size * get_world_size()
                num_seen = sampler.num_seen + batch_idx * size
                self._saver.save_stopped(runner, num_seen)
        else:
            # mmengine itself passes over the batches before.
            self._saver.save_stopped(runner, num_seen=0)

    def _receive(self, number: int, frame: FrameType | None) -> None:
        if os.getpid() != self._process:
            # A worker of a loader, which inherits this. Ctrl-C comes to it,
            # too; it ends when the main process has no more use for it.
            if number == signal.SIGTERM:
                signal.signal(number, signal.SIG_DFL)
                os.kill(os.getpid(), number)
            return
        if not self._is_training(frame):
            # An error ended the run, and the process goes on, as notebooks
            # do; nobody has told the hook.
            self._give_back()
            os.kill(os.getpid(), number)
        elif self.received is None:
            self.received, self._since = number, time.monotonic()
            # The log may be in the middle of a line.
            message = (
                f'\n{signal.Signals(number).name}: the run is saved after '
                'this iteration. Once more stops it at once.\n'
            )
            os.write(2, message.encode())
        elif time.monotonic() - self._since > SAME:
            self._give_back()
            os.kill(os.getpid(), number)

    def _is_training(self, frame: FrameType | None) -> bool:
        """Tell whether the loop is among the callers."""
        while frame is not None and frame.f_code is not self._run:
            frame = frame.f_back
        return frame is not None

    def _give_back(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before = {}


def _of_all_ranks(op: str, number: int) -> int:
    """Reduce a number over the ranks: ``'min'`` or ``'max'``."""
    shared = torch.tensor(number)
    all_reduce(shared, op=op)
    return int(shared)


@contextmanager
def obeyed(runner: Runner) -> Iterator[None]:
    """Let a run that a signal breaks end as one that a signal stops.

    Whoever sends SIGTERM to all processes of a job also ends the workers of
    its data loaders, and the iteration that waits for them cannot end.

    Args:
        runner (Runner): Of the run.

    Raises:
        SystemExit: Instead of an error that follows a signal.
    """
    try:
        yield
    except Exception as error:
        for hook in runner.hooks:
            if isinstance(hook, StopSignalHook) and hook.received is not None:
                hook.leave(runner, hook.received, error)
        raise


def resume_command(argv: Sequence[str]) -> str:
    """Give the command that goes on where this one was stopped.

    Args:
        argv (Sequence[str]): The command line, with or without ``--resume``.

    Returns:
        str: With ``--resume`` and no checkpoint: it takes the last.
    """
    words = []
    for word in argv:
        follows_resume = bool(words) and words[-1] == '--resume'
        if word.startswith('--resume='):
            word = '--resume'
        if not follows_resume or word.startswith('-'):
            words.append(word)
    if '--resume' not in words:
        words.append('--resume')
    return shlex.join(['python', *words])
