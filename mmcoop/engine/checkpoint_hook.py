"""Checkpoints that a kill cannot break, and that a run goes on from exactly.

Where it departs from mmengine's hook:

- Files appear under their name once they are on the disk in full, and what
  they replace is removed after that, not before.
- A run that goes on takes the newest checkpoint that can be read, and says
  which it passed over.
- An evaluation belongs to the checkpoint: mmengine goes on with the next
  epoch where it was killed while it evaluated, without a score for this one.
"""

from collections import deque
from pathlib import Path
from typing import Any

from mmengine.dist import barrier, is_main_process
from mmengine.hooks import CheckpointHook as BaseHook
from mmengine.runner import EpochBasedTrainLoop, Runner

from mmcoop.registry import HOOKS

from .atomic_file import remove_unfinished
from .last_checkpoint import NOTE, STOPPED, correct_note, note_last_checkpoint
from .run_config import CommandError
from .written_config import WrittenConfig


@HOOKS.register_module()
class CheckpointHook(BaseHook):
    """mmengine's `CheckpointHook`, with the same options, made safe.

    With ``backend_args``, or an ``out_dir`` that is no local folder, that
    storage decides what a kill leaves.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._is_local = (
            self.backend_args is None
            and self.file_client_args is None
            and '://' not in str(self.out_dir)
        )
        if self._is_local:
            self.backend_args = dict(backend='mmcoop.atomic')
        self._loaded: dict[str, Any] = {}

    def before_run(self, runner: Runner) -> None:
        """Find what to go on from, before mmengine looks for it."""
        runner.cfg = WrittenConfig(runner.cfg)
        goes_on = runner._resume and runner._load_from is None
        if goes_on and self._is_local and is_main_process():
            correct_note(
                runner.work_dir, self._folder(runner), self.filename_tmpl
            )
        barrier()

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Remember where in the data a run was left."""
        self._loaded = checkpoint.get('meta') or {}

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Save the order of the data, which may have a seed of its own."""
        sampler = runner.train_dataloader.batch_sampler.sampler
        if hasattr(sampler, 'go_on'):
            checkpoint['meta']['sampler_seed'] = sampler.seed

    def before_train(self, runner: Runner) -> None:
        """Clean up after a kill, and do the evaluation that it cut short."""
        super().before_train(runner)
        if self.max_keep_ckpts > 0:
            # Room for one more than are kept: that is removed last.
            self.keep_ckpt_ids = deque(self.keep_ckpt_ids)
        goes_on = runner.iter > 0
        if is_main_process() and self._is_local:
            Path(self.out_dir).mkdir(parents=True, exist_ok=True)
            for folder in (self.out_dir, runner.work_dir):
                remove_unfinished(folder)
            if not goes_on and Path(runner.work_dir, NOTE).is_file():
                note_last_checkpoint(runner.work_dir, '')
        if goes_on:
            self._go_on_in_data(runner)
        if goes_on and self._lacks_evaluation(runner):
            self.last_ckpt = self._path(runner.epoch)
            # As after an epoch; mmengine has told of the next one.
            runner.message_hub.update_info('epoch', runner.epoch - 1)
            runner.message_hub.update_info('iter', runner.iter - 1)
            runner.val_loop.run()

    def after_val_epoch(self, runner: Runner, metrics: dict) -> None:
        """Save the best, and the evaluation with this epoch's checkpoint."""
        runner.message_hub.update_info('evaluated_epoch', runner.epoch)
        last, self.last_ckpt = self.last_ckpt, None  # saved once, below
        super().after_val_epoch(runner, metrics)
        self.last_ckpt = last
        if not self.by_epoch or last is None:
            return
        if last == self._path(runner.epoch):
            meta = dict(epoch=runner.epoch, iter=runner.iter)
            self._save_checkpoint_with_step(runner, runner.epoch, meta)

    def save_stopped(self, runner: Runner, num_seen: int) -> str:
        """Save a run that ends before its time, wherever it is.

        Args:
            runner (Runner): Between two iterations.
            num_seen (int): How many samples this epoch has seen, on all
                ranks.

        Returns:
            str: The path of the checkpoint.
        """
        meta = dict(epoch=runner.epoch, iter=runner.iter, num_seen=num_seen)
        self._write(runner, STOPPED, meta)
        return self.last_ckpt

    def _save_checkpoint_with_step(
        self, runner: Runner, step: int, meta: dict
    ) -> None:
        """Save, and then remove what is not kept."""
        if self.max_keep_ckpts > 0:
            if step not in self.keep_ckpt_ids:
                self.keep_ckpt_ids.append(step)
            # With what is removed below: if that is killed, the run that
            # goes on from this checkpoint does it.
            runner.message_hub.update_info(
                'keep_ckpt_ids', list(self.keep_ckpt_ids)
            )
        self._write(runner, self.filename_tmpl.format(step), meta)
        self._remove(self.file_backend.join_path(self.out_dir, STOPPED))
        if self.max_keep_ckpts > 0:
            while len(self.keep_ckpt_ids) > self.max_keep_ckpts:
                self._remove(self._path(self.keep_ckpt_ids.popleft()))

    def _write(self, runner: Runner, filename: str, meta: dict) -> None:
        self.last_ckpt = self.file_backend.join_path(self.out_dir, filename)
        runner.message_hub.update_info('last_ckpt', self.last_ckpt)
        runner.save_checkpoint(
            self.out_dir,
            filename,
            self.file_client_args,
            save_optimizer=self.save_optimizer,
            save_param_scheduler=self.save_param_scheduler,
            meta=meta,
            by_epoch=self.by_epoch,
            backend_args=self.backend_args,
            **self.args,
        )
        if is_main_process():
            note_last_checkpoint(runner.work_dir, self.last_ckpt)

    def _save_best_checkpoint(self, runner: Runner, metrics: dict) -> None:
        """Save the best, and then remove the one that was."""
        if not self.save_best:
            return
        # What mmengine does not know of, it does not remove before.
        before = self._best()
        self._set_best(dict.fromkeys(before))
        super()._save_best_checkpoint(runner, metrics)
        now = self._best()
        for key, path in before.items():
            if now[key] is None:
                now[key] = path
            elif path is not None and path != now[key]:
                self._remove(path)
        self._set_best(now)

    def _best(self) -> dict[str, str | None]:
        """Give the path of the best checkpoint by each score."""
        if len(self.key_indicators) == 1:
            return {'best': self.best_ckpt_path}
        return dict(self.best_ckpt_path_dict)

    def _set_best(self, paths: dict[str, str | None]) -> None:
        if len(self.key_indicators) == 1:
            self.best_ckpt_path = paths['best']
        else:
            self.best_ckpt_path_dict = dict(paths)

    def _remove(self, path: str) -> None:
        if is_main_process() and self.file_backend.isfile(path):
            self.file_backend.remove(path)

    def _path(self, step: int) -> str:
        filename = self.filename_tmpl.format(step)
        return self.file_backend.join_path(self.out_dir, filename)

    def _folder(self, runner: Runner) -> str:
        """Tell where checkpoints go, as mmengine decides it later."""
        if self.out_dir is None or self.out_dir == runner.work_dir:
            return runner.work_dir
        return str(Path(self.out_dir, Path(runner.work_dir).name))

    def _go_on_in_data(self, runner: Runner) -> None:
        sampler = runner.train_dataloader.batch_sampler.sampler
        num_seen = self._loaded.get('num_seen', 0)
        if hasattr(sampler, 'go_on'):
            seed = self._loaded.get('sampler_seed', sampler.seed)
            sampler.go_on(seed, runner.epoch, num_seen)
        elif num_seen:
            raise CommandError(
                f'the checkpoint is of a run that was stopped within epoch '
                f'{runner.epoch + 1}, where {type(sampler).__name__} cannot '
                'go on: set train_dataloader.sampler.type to '
                'mmcoop.EpochSampler, or resume from an epoch_*.pth.'
            )

    @staticmethod
    def _lacks_evaluation(runner: Runner) -> bool:
        """Tell whether the run was left before it evaluated its epoch."""
        loop, epoch = runner.train_loop, runner.epoch
        if runner.val_loop is None or not isinstance(
            loop, EpochBasedTrainLoop
        ):
            return False
        loop._decide_current_val_interval()
        is_due = epoch >= max(loop.val_begin, 1) and (
            epoch % loop.val_interval == 0 or epoch == loop.max_epochs
        )
        evaluated = runner.message_hub.get_info('evaluated_epoch', 0)
        return is_due and evaluated < epoch
