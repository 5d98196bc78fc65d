"""Write a page about a run at the end of its training."""

import functools
import logging
import math
from collections.abc import Callable, Sequence
from pathlib import Path

from mmengine.dist import collect_results, is_main_process
from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner
from torch import nn

from mmcoop.engine.atomic_file import write_atomically
from mmcoop.engine.run_end import peer_has_gone
from mmcoop.models import CLIPHead
from mmcoop.registry import HOOKS

from .answers import Answer, HandWritten, read_answers
from .confusions import accuracy
from .history import RunHistory

FILENAME = 'report.html'
# Of a curve
NUM_POINTS = 200


def _never_stops_the_run(method: Callable) -> Callable:
    """Let a report fail rather than a run, and say so in log and report."""

    @functools.wraps(method)
    def wrapped(self, runner, *args, **kwargs) -> None:
        try:
            method(self, runner, *args, **kwargs)
        except Exception as error:
            if peer_has_gone(error):
                raise  # This is the end of the run, whatever asked first.
            trouble = f'{method.__name__}: {type(error).__name__}: {error}'
            if trouble not in self.troubles:
                self.troubles.append(trouble)
                print_log(
                    f'The run report will lack something, or is missing '
                    f'({trouble}). The run and its checkpoints are not '
                    'affected; `enable=False` of RunReportHook leaves the '
                    'report out.',
                    logger='current',
                    level=logging.WARNING,
                )

    return wrapped


@HOOKS.register_module()
class RunReportHook(Hook):
    """Write ``report.html`` into the work directory.

    One file to look at, which needs no network: curves, accuracy per class
    beside that of the hand-written prompt, confusions, the most wrong
    images, what became of the context, and how to run it again.

    The evaluation during training is what it looks at, the last one if there
    are several; without one, those parts are left out. The hand-written
    prompt is asked about the same image features, so the image tower does no
    work for it.

    Args:
        enable (bool): Whether to write it. Defaults to True.
    """

    # Before mmengine saves a checkpoint (VERY_LOW), so that what is noted of
    # an epoch is in it, and a resumed run goes on with it.
    priority = 'LOW'

    def __init__(self, enable: bool = True) -> None:
        self.enable = enable
        self.troubles: list[str] = []
        self._history: RunHistory | None = None
        # Iterations, of an earlier session
        self._begun_at = 0
        self._written: HandWritten | None = None
        # Of this process, while evaluating
        self._answers: list[Answer] = []
        # Of all processes, when an evaluation is over
        self._evaluated: list[Answer] | None = None

    @_never_stops_the_run
    def before_train(self, runner: Runner) -> None:
        """Find what an earlier session of the run has noted."""
        if not self.enable:
            return
        every = math.ceil(runner.max_iters / NUM_POINTS)
        self._history = RunHistory(runner.message_hub, every)
        self._begun_at = runner.iter
        self._note_norms(runner)

    @_never_stops_the_run
    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: dict | None = None,
        outputs: dict | None = None,
    ) -> None:
        """Note loss, learning rate and accuracy of the batch."""
        if self._history is not None:
            self._history.note_iteration(runner.iter + 1)

    @_never_stops_the_run
    def after_train_epoch(self, runner: Runner) -> None:
        """Note the norms of the context."""
        self._note_norms(runner)

    @_never_stops_the_run
    def before_val_epoch(self, runner: Runner) -> None:
        """Get the hand-written prompt ready."""
        if self._history is None:
            return
        self._note_norms(runner)
        self._answers = []
        head = _head(runner)
        if self._written is None and isinstance(head, CLIPHead):
            self._written = HandWritten(head)
        if self._written is not None:
            self._written.listen()

    @_never_stops_the_run
    def after_val_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: dict | None = None,
        outputs: Sequence | None = None,
    ) -> None:
        """Keep the answers about a batch."""
        if self._history is None or not outputs:
            return
        written = None
        if self._written is not None:
            written = self._written.probabilities(len(outputs))
        self._answers += read_answers(outputs, written)

    @_never_stops_the_run
    def after_val_epoch(
        self, runner: Runner, metrics: dict[str, float] | None = None
    ) -> None:
        """Bring the answers of all processes together."""
        if self._history is None:
            return
        if self._written is not None:
            self._written.stop()
        # By 'gpu' mmengine means the process group, whatever it runs on; the
        # other way is over files.
        self._evaluated = collect_results(
            self._answers, len(runner.val_dataloader.dataset), 'gpu'
        )
        found = accuracy(self._evaluated or [])
        if found is not None:
            self._history.note_accuracy(runner.iter, found)

    @_never_stops_the_run
    def after_train(self, runner: Runner) -> None:
        """Write the page."""
        if self._history is None or not is_main_process():
            return
        if runner.iter == self._begun_at > 0 and not self._evaluated:
            # Resumed, but at its end already: the page that is there says
            # more.
            return
        # Imported here, since most of what imports mmcoop writes no page.
        from .contents import contents
        from .page import render

        page = render(
            contents(
                runner,
                _head(runner),
                self._history,
                self._evaluated,
                self.troubles,
            )
        )
        path = Path(runner.work_dir, FILENAME)
        # A path may hold bytes that are no text; a mark stands for them.
        write_atomically(path, page.encode('utf-8', errors='replace'))
        print_log(f'Run report: {path}', logger='current')

    def _note_norms(self, runner: Runner) -> None:
        learner = getattr(_head(runner), 'prompt_learner', None)
        if self._history is not None and learner is not None:
            self._history.note_norms(runner.iter, learner.ctx)


def _head(runner: Runner) -> nn.Module:
    model = runner.model
    if is_model_wrapper(model):
        model = model.module
    return model.head
