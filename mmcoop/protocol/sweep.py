"""Do the runs of a sweep: several at once, on, after whatever stopped it.

Runs are started by submitit: on this machine, or as jobs of Slurm. What has
been done is told by the runs' folders alone (see `run_folder.py`), so a
sweep that is killed, with its runs or without, goes on when it is called
again.
"""

import logging
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mmengine.logging import print_log

from .grid import Run
from .run_folder import ChangedRunError, RunFolder, write_json
from .worker import run_all

JOBS_FOLDER = '.jobs'
# submitit's own limit for local jobs would be minutes.
LOCAL_LIMIT_MIN = 60 * 24 * 365
# and for jobs of Slurm, five.
SLURM_LIMIT_MIN = 600


class SubmissionError(RuntimeError):
    """Slurm does not take a job."""


@dataclass(frozen=True)
class Resources:
    """Where runs are done.

    Attributes:
        cluster (str): 'local' or 'slurm'.
        workers (int): Jobs at a time.
        runs_per_job (int): Runs that one process does in turn; more than
            one saves the seconds that starting takes.
        gpus (tuple[int]): GPUs of this machine, shared out over local
            workers.
        threads (int, optional): CPU threads of a worker.
        slurm (dict): Parameters of submitit's Slurm executor, which has
            sbatch's names: ``partition``, ``time`` (in minutes; 600 if it
            is left out), ``cpus_per_task``, ….

    Raises:
        ValueError: If there is no Slurm where it is wanted.
    """

    cluster: str = 'local'
    workers: int = 1
    runs_per_job: int = 1
    gpus: tuple[int, ...] = ()
    threads: int | None = None
    slurm: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for command in ('sbatch', 'srun'):
            if self.cluster == 'slurm' and shutil.which(command) is None:
                raise ValueError(
                    f'there is no `{command}` here, so no job of Slurm can '
                    'be submitted: call the sweep on a machine of the '
                    'cluster, or leave --cluster slurm out to do the runs on '
                    'this one.'
                )


@dataclass
class Progress:
    """How far a sweep is.

    Attributes:
        total (int): All runs.
        before (int): Those that were finished before this call.
        finished (int): Those that finished in it.
        failed (int): Those that failed in it.
        begin (float): When it began, as ``time.monotonic`` counts.
    """

    total: int
    before: int
    begin: float
    finished: int = 0
    failed: int = 0

    def __str__(self) -> str:
        done = self.finished + self.failed
        left = self.total - self.before - done
        text = f'{self.before + self.finished} of {self.total} runs finished'
        if self.failed:
            text += f', {self.failed} failed'
        if done and left:
            seconds = (time.monotonic() - self.begin) / done * left
            text += f', about {_duration(seconds)} left'
        return text


def select(runs: Sequence[Run], only: Sequence[str]) -> list[Run]:
    """Take a part of a sweep.

    Args:
        runs (Sequence[Run]): All runs.
        only (Sequence[str]): ``AXIS=LABEL``; several labels of an axis allow
            any of them, several axes must all agree.

    Returns:
        list[Run]: In the same order.

    Raises:
        ValueError: If no run has such a label.
    """
    allowed: dict[str, set[str]] = {}
    for choice in only:
        axis, _, label = choice.partition('=')
        if not any(run.labels.get(axis) == label for run in runs):
            labels = sorted({r.labels[axis] for r in runs if axis in r.labels})
            axes = sorted({axis for run in runs for axis in run.labels})
            raise ValueError(
                f'--only {choice}: no run has that. The labels of {axis!r} '
                f'are {labels or "none"}; the axes are {axes}.'
            )
        allowed.setdefault(axis, set()).add(label)
    return [
        run
        for run in runs
        if all(run.labels.get(axis) in allowed[axis] for axis in allowed)
    ]


def prepare(
    runs: Sequence[Run], work_dir: str, restart_changed: bool = False
) -> list[RunFolder]:
    """Make the folders of all runs.

    Args:
        runs (Sequence[Run]): Of the sweep.
        work_dir (str): Of the sweep.
        restart_changed (bool): Whether runs that were begun with another
            config are deleted and done again.

    Returns:
        list[RunFolder]: In the same order.

    Raises:
        ChangedRunError: If there are such runs, and they are not deleted.
    """
    folders = [RunFolder(Path(work_dir, run.name)) for run in runs]
    changed = []
    for run, folder in zip(runs, folders, strict=True):
        try:
            folder.prepare(run)
        except ChangedRunError:
            if restart_changed:
                folder.delete()
                folder.prepare(run)
            else:
                changed.append(run.name)
    if changed:
        raise ChangedRunError(
            f'{len(changed)} of {len(runs)} runs in {work_dir} were begun '
            f'with another config than the sweep has now, like {changed[0]}. '
            'Give another --work-dir to keep them, or --restart-changed to '
            'delete them and do them again.'
        )
    return folders


def run_sweep(
    folders: Sequence[RunFolder],
    work_dir: str,
    resources: Resources,
    report: Callable[[Progress], None] = lambda progress: None,
    seconds_between_looks: float = 0.5,
) -> list[RunFolder]:
    """Do all runs that are not finished; failed ones are tried once more.

    Args:
        folders (Sequence[RunFolder]): From :func:`prepare`.
        work_dir (str): Of the sweep.
        resources (Resources): Where runs are done.
        report (Callable): Called whenever something has changed.
        seconds_between_looks (float): How often that is looked for.

    Returns:
        list[RunFolder]: Those that failed.

    Raises:
        ImportError: If submitit is not installed.
        ValueError: If Slurm has no such parameter.
        SubmissionError: If Slurm takes none of the jobs.
    """
    waiting = [folder for folder in folders if not folder.is_finished]
    for folder in waiting:
        # Of an earlier try; from now on a failure is one of this.
        folder.failure_file.unlink(missing_ok=True)
    progress = Progress(
        total=len(folders),
        before=len(folders) - len(waiting),
        begin=time.monotonic(),
    )
    report(progress)
    submit = _submitter(work_dir, resources)
    free = list(range(resources.workers))
    active: list[tuple[Any, int, list[RunFolder]]] = []
    failed: list[RunFolder] = []
    full = False
    try:
        while waiting or active:
            while waiting and free and not full:
                size = _job_size(len(waiting), resources)
                runs, waiting = waiting[:size], waiting[size:]
                slot = free.pop(0)
                try:
                    job = submit(runs, slot)
                except SubmissionError as error:
                    if not active:
                        raise
                    # Queues have limits: what they took will make room.
                    waiting = runs + waiting
                    free.append(slot)
                    full = True
                    print_log(str(error), 'current', logging.WARNING)
                else:
                    active.append((job, slot, runs))
            time.sleep(seconds_between_looks)
            for job, slot, runs in list(active):
                if job.done():
                    active.remove((job, slot, runs))
                    free.append(slot)
                    full = False
                    failures, again = _what_became_of(job, runs)
                    failed += failures
                    waiting = again + waiting
                    progress.failed = len(failed)
            finished = sum(folder.is_finished for folder in folders)
            if finished - progress.before != progress.finished:
                progress.finished = finished - progress.before
                report(progress)
    except BaseException:
        for job, _, _ in active:
            job.cancel()
        raise
    report(progress)
    return failed


def _job_size(num_waiting: int, resources: Resources) -> int:
    """Share out what is left, lest one worker has it all."""
    fair = -(-num_waiting // resources.workers)
    return min(resources.runs_per_job, fair)


def _what_became_of(
    job: Any, runs: list[RunFolder]
) -> tuple[list[RunFolder], list[RunFolder]]:
    """Sort a job's runs into those that failed and those not yet done."""
    failed = []
    for position, folder in enumerate(runs):
        if folder.is_finished:
            continue
        failed.append(folder)
        if folder.failure is None:
            # The process died in this run, and never came to the next ones.
            _note_death(folder, job)
            return failed, runs[position + 1 :]
    return failed, []


def _note_death(folder: RunFolder, job: Any) -> None:
    try:
        text = job.stderr() or ''
    except OSError:
        text = ''
    last = text.strip().splitlines()[-1:] or ['nothing was written']
    error = (
        f'the process died (state {job.state}; {last[0]}): killed for its '
        f'memory or time? Its log is {job.paths.stderr}'
    )
    write_json(folder.failure_file, dict(error=error, traceback=text))


def _submitter(
    work_dir: str, resources: Resources
) -> Callable[[list[RunFolder], int], Any]:
    """Give what starts a job for runs, in a slot."""
    try:
        import submitit
    except ImportError as error:
        raise ImportError(
            'a sweep starts its runs with submitit, which is not installed: '
            'run `pip install submitit`.'
        ) from error
    folder = Path(work_dir, JOBS_FOLDER).absolute()
    if resources.cluster == 'slurm':
        executors = [_slurm_executor(submitit, folder, resources.slurm)]
    else:
        executors = [
            _local_executor(submitit, folder, gpu)
            for gpu in resources.gpus or (None,)
        ]

    def submit(runs: list[RunFolder], slot: int) -> Any:
        executor = executors[slot % len(executors)]
        paths = [str(folder.path.absolute()) for folder in runs]
        try:
            return executor.submit(run_all, paths, resources.threads)
        except RuntimeError as error:
            raise SubmissionError(
                f'{len(runs)} runs could not be submitted: {error}'
            ) from error

    return submit


def _local_executor(submitit: Any, folder: Path, gpu: int | None) -> Any:
    executor = submitit.LocalExecutor(folder)
    executor.update_parameters(timeout_min=LOCAL_LIMIT_MIN)
    if gpu is not None:
        executor.update_parameters(gpus_per_node=1, visible_gpus=(gpu,))
    return executor


def _slurm_executor(
    submitit: Any, folder: Path, parameters: dict[str, Any]
) -> Any:
    defaults = dict(job_name='mmcoop', time=SLURM_LIMIT_MIN)
    executor = submitit.SlurmExecutor(folder)
    try:
        executor.update_parameters(**{**defaults, **parameters})
    except (ValueError, TypeError) as error:
        raise ValueError(f'--slurm: {error}') from error
    return executor


def describe_failures(failed: Sequence[RunFolder]) -> str:
    """List what failed, for the end of a sweep.

    Args:
        failed (Sequence[RunFolder]): From :func:`run_sweep`.

    Returns:
        str: A line per run; empty if there are none.
    """
    return '\n'.join(
        f'FAILED {folder.path}: {folder.failure["error"]}' for folder in failed
    )


def print_progress(progress: Progress) -> None:
    """Print a line, or in a terminal change the last one.

    Args:
        progress (Progress): Of a sweep.
    """
    if sys.stdout.isatty():
        print(f'\r\033[K{progress}', end='', flush=True)
    else:
        print(progress, flush=True)


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f'{seconds:.0f} s'
    if seconds < 5400:
        return f'{seconds / 60:.0f} min'
    return f'{seconds / 3600:.1f} h'
