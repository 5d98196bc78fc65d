"""Numbers that are none: stop before they are saved."""

import math
from typing import Any

import torch
from mmengine.dist import is_distributed
from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmcoop.registry import HOOKS

from .run_end import RunError, what_is_kept

# A gradient scaler starts at 2 ** 16 and halves: after so many overflows in
# a row it is below 1, and the scale is not the reason
PATIENCE = 20


class NotFiniteError(RunError):
    """A loss or a learned tensor is NaN or infinite."""


@HOOKS.register_module()
class CheckInvalidLossHook(Hook):
    """Stop a run when its loss, or what it learns, is no longer finite.

    Nothing waits for an accelerator that would not have anyway: mmengine has
    fetched each loss for its log, and what is learned is looked at in every
    iteration of one process on the CPU, otherwise at the end of an epoch.
    Before a checkpoint is written it is looked at always, so that no context
    that is not finite is ever saved.

    A gradient scaler (``--amp``) leaves out a step that overflows, and tries
    with a smaller scale: then a loss that is not finite stops the run only
    if it stays so for 20 iterations.
    """

    # After mmengine has noted the loss, before anything is saved
    priority = 'ABOVE_NORMAL'

    def __init__(self) -> None:
        self._overflows = 0

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Any = None,
        outputs: dict | None = None,
    ) -> None:
        """Look at the loss.

        Raises:
            NotFiniteError: With the iteration, the images of the batch, the
                learning rate and the last good checkpoint.
        """
        loss = runner.message_hub.get_scalar('train/loss').current()
        if math.isfinite(loss):
            self._overflows = 0
            # Of several processes all have the same context, but one batch
            # alone spoils it: that one's loss tells, in its own process.
            if is_distributed() or _on_accelerator(runner):
                return
            name = _not_finite(runner)
            if name is None:
                return
            what = f'{name} is not finite, with a loss of {loss:g},'
        else:
            self._overflows += 1
            if _has_scaler(runner) and self._overflows <= PATIENCE:
                return
            what = f'the loss is {loss}'
        raise NotFiniteError(
            f'{what} after iteration {runner.iter + 1} (epoch '
            f'{runner.epoch + 1}, batch {batch_idx + 1}), with '
            f'{_learning_rates(runner)}. {_images(data_batch)} '
            f'{what_is_kept(runner.work_dir)} Look at these images; if they '
            'are good, lower optim_wrapper.optimizer.lr, or set '
            'optim_wrapper.clip_grad=dict(max_norm=1).'
        )

    def after_train_epoch(self, runner: Runner) -> None:
        """Look at what is learned, before old checkpoints give way to it.

        Raises:
            NotFiniteError: With the epoch and the last good checkpoint.
        """
        self.before_save_checkpoint(runner, {})

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Look at what is learned.

        Raises:
            NotFiniteError: With the epoch and the last good checkpoint.
        """
        name = _not_finite(runner)
        if name is not None:
            raise NotFiniteError(
                f'{name} is not finite in epoch {runner.epoch + 1}, with '
                f'{_learning_rates(runner)}, and is not saved. '
                f'{what_is_kept(runner.work_dir)} Lower '
                'optim_wrapper.optimizer.lr, or set '
                'optim_wrapper.clip_grad=dict(max_norm=1).',
                # Of several processes, one may have met the loss that did it
                shared=True,
            )


def _not_finite(runner: Runner) -> str | None:
    """Name a learned tensor that holds NaN or an infinity."""
    for name, parameter in runner.model.named_parameters():
        if parameter.requires_grad and not torch.isfinite(parameter).all():
            return name.removeprefix('module.')  # DDP's
    return None


def _on_accelerator(runner: Runner) -> bool:
    return next(runner.model.parameters()).device.type != 'cpu'


def _has_scaler(runner: Runner) -> bool:
    return hasattr(runner.optim_wrapper, 'loss_scaler')


def _learning_rates(runner: Runner) -> str:
    rates = runner.optim_wrapper.get_lr()
    return ', '.join(f'{name}={rate[0]:g}' for name, rate in rates.items())


def _images(data_batch: Any) -> str:
    """List the images of a batch."""
    samples = []
    if isinstance(data_batch, dict):
        samples = data_batch.get('data_samples') or []
    paths = [str(sample.get('img_path')) for sample in samples]
    return f'The batch: {", ".join(paths)}.' if paths else ''
