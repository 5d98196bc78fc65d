"""What the processes do that a sweep starts."""

import os
import time
import traceback
from collections.abc import Mapping
from contextlib import redirect_stderr, redirect_stdout

import torch
from mmengine.config import Config

from .linear_probe import probe
from .new_data import base_to_new
from .results import METRIC
from .run_folder import RunFolder, write_json
from .train_and_test import Metrics, train_and_test


def linear_probe(
    cfg: Config, tests: Mapping[str, dict], folder: RunFolder
) -> Metrics:
    """Fit a linear classifier by the paper's protocol.

    Args:
        cfg (Config): Complete; see `linear_probe.probe`.
        tests (Mapping[str, dict]): By name, dotted keys that change the test
            data.
        folder (RunFolder): Not needed: nothing is left half done.

    Returns:
        dict: Accuracy in percent by test; the config's own is ``'test'``.
    """
    accuracies = probe(cfg, {'test': {}, **tests})
    return {name: {METRIC: accuracy} for name, accuracy in accuracies.items()}


def base_new(
    cfg: Config, tests: Mapping[str, dict], folder: RunFolder
) -> Metrics:
    """Learn from base classes, and evaluate on base and new ones.

    Args:
        cfg (Config): Complete.
        tests (Mapping[str, dict]): None: there is no third kind of classes.
        folder (RunFolder): Where a training that was interrupted goes on.

    Returns:
        dict: Accuracy in percent for ``base``, ``new``, ``harmonic_mean``.

    Raises:
        ValueError: If there are further tests.
    """
    if tests:
        raise ValueError(
            f'the job base_new has tests ({", ".join(tests)}), but evaluates '
            'base and new classes alone: leave tests out of the grid.'
        )
    found = base_to_new(cfg, folder)
    return {name: {METRIC: value} for name, value in found.items()}


JOBS = dict(
    train_and_test=train_and_test, linear_probe=linear_probe, base_new=base_new
)


def run_all(folders: list[str], num_threads: int | None = None) -> None:
    """Do runs one after the other; one that fails does not stop the rest.

    Args:
        folders (list[str]): Of runs that are prepared.
        num_threads (int, optional): Of the CPU, for this process.
    """
    if num_threads is not None:
        torch.set_num_threads(num_threads)
    for path in folders:
        folder = RunFolder(path)
        with folder.lock():
            # By a process that outlived the sweep which started it
            if not folder.is_finished:
                _run(folder)


def _run(folder: RunFolder) -> None:
    folder.failure_file.unlink(missing_ok=True)
    description = folder.description
    begin = time.monotonic()
    with (
        open(folder.path / 'output.txt', 'a', encoding='utf-8') as output,
        redirect_stdout(output),
        redirect_stderr(output),
    ):
        try:
            job = JOBS[description['job']]
            metrics = job(folder.config(), description['tests'], folder)
        except Exception as error:
            failure = dict(
                error=f'{type(error).__name__}: {error}',
                traceback=traceback.format_exc(),
            )
            write_json(folder.failure_file, failure)
            return
    result = dict(
        labels=description['labels'],
        metrics=metrics,
        seconds=round(time.monotonic() - begin, 1),
        pid=os.getpid(),
    )
    write_json(folder.result_file, result)
