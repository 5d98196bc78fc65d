"""What the runs of a sweep do, in a process of their own."""

import os
import time
import traceback
from collections.abc import Mapping
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.registry import RUNNERS
from mmengine.runner import Runner, TestLoop

from mmcoop.engine.run_config import set_loader_defaults

from .linear_probe import probe
from .run_folder import RunFolder, write_json

Metrics = dict[str, dict[str, float]]


def train_and_test(
    cfg: Config, tests: Mapping[str, dict], folder: RunFolder
) -> Metrics:
    """Train, if there is anything to train, and evaluate.

    Args:
        cfg (Config): Complete; ``train_dataloader`` is None where nothing is
            learned.
        tests (Mapping[str, dict]): By name, dotted keys that change the
            config for an evaluation after that of the config itself.
        folder (RunFolder): Where a training that was interrupted goes on.

    Returns:
        dict: Metrics by test; the config's own is ``'test'``.
    """
    learned = None
    if cfg.get('train_dataloader') is not None:
        training = cfg.copy()
        # A result is of the last context, by the evaluation below.
        training.val_cfg = training.val_dataloader = None
        training.val_evaluator = None
        training.test_cfg = training.test_dataloader = None
        training.test_evaluator = None
        training.load_from = folder.last_checkpoint()
        training.resume = training.load_from is not None
        _runner(training).train()
        learned = folder.last_checkpoint()
    return evaluate(cfg, tests, learned, folder.path / 'tests')


def evaluate(
    cfg: Config,
    tests: Mapping[str, dict],
    checkpoint: str | None,
    work_dir: Path,
) -> Metrics:
    """Evaluate on the config's test data, and on others.

    Args:
        cfg (Config): Complete; it is not changed.
        tests (Mapping[str, dict]): By name, dotted keys that change it.
        checkpoint (str, optional): What was learned.
        work_dir (Path): For the logs.

    Returns:
        dict: Metrics by test; the config's own is ``'test'``.
    """
    cfg = cfg.copy()
    cfg.train_cfg = cfg.train_dataloader = cfg.optim_wrapper = None
    cfg.param_scheduler = None
    cfg.val_cfg = cfg.val_dataloader = cfg.val_evaluator = None
    cfg.load_from, cfg.resume = checkpoint, False
    cfg.work_dir = str(work_dir)
    runner = _runner(cfg.copy())
    found = {'test': runner.test()}
    for name, settings in tests.items():
        changed = cfg.copy()
        changed.merge_from_dict(dict(settings))
        if all(key.startswith('test_') for key in settings):
            # Other data, the same model: it need not be built again.
            set_loader_defaults(changed)
            loop = TestLoop(
                runner, changed.test_dataloader, changed.test_evaluator
            )
            found[name] = loop.run()
        else:
            changed.work_dir = str(work_dir / name)
            found[name] = _runner(changed).test()
    return {
        name: {key: float(value) for key, value in metrics.items()}
        for name, metrics in found.items()
    }


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
    return {
        name: {'accuracy/top1': accuracy}
        for name, accuracy in accuracies.items()
    }


JOBS = dict(train_and_test=train_and_test, linear_probe=linear_probe)


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


def _runner(cfg: Config) -> Runner:
    set_loader_defaults(cfg)
    cfg.launcher = 'none'
    # mmengine keeps loggers by this name; its own has a second's resolution.
    cfg.experiment_name = cfg.work_dir
    return RUNNERS.build(cfg) if 'runner_type' in cfg else Runner.from_cfg(cfg)
