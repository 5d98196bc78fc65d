"""Train and evaluate by a config, through mmengine's runner."""

import copy
from collections.abc import Mapping
from pathlib import Path

from mmengine.config import Config
from mmengine.registry import RUNNERS
from mmengine.runner import Runner, TestLoop

from mmcoop.engine.run_config import set_loader_defaults

from .run_folder import RunFolder

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
        training = copy.deepcopy(cfg)
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
    cfg = copy.deepcopy(cfg)
    cfg.train_cfg = cfg.train_dataloader = cfg.optim_wrapper = None
    cfg.param_scheduler = None
    cfg.val_cfg = cfg.val_dataloader = cfg.val_evaluator = None
    cfg.load_from, cfg.resume = checkpoint, False
    cfg.work_dir = str(work_dir)
    runner = _runner(copy.deepcopy(cfg))
    found = {'test': runner.test()}
    for name, settings in tests.items():
        changed = copy.deepcopy(cfg)
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


def _runner(cfg: Config) -> Runner:
    set_loader_defaults(cfg)
    cfg.launcher = 'none'
    # mmengine keeps loggers by this name; its own has a second's resolution.
    cfg.experiment_name = cfg.work_dir
    return RUNNERS.build(cfg) if 'runner_type' in cfg else Runner.from_cfg(cfg)
