"""A learned context on data that it was not learned on.

Two questions of the paper and its sequel: other pictures of the same classes
(domain generalisation), and other classes (base to new).
"""

import copy
from collections.abc import Mapping
from pathlib import Path

from mmengine.config import Config, ConfigDict
from mmengine.registry import DefaultScope

from mmcoop.datasets import classes_of_part
from mmcoop.evaluation import harmonic_mean
from mmcoop.models.class_names import resolve_class_names

from .results import METRIC
from .run_folder import RunFolder
from .train_and_test import Metrics, evaluate, train_and_test


def on_domains(
    cfg: Config,
    domains: Mapping[str, dict],
    checkpoint: str | None,
    work_dir: Path,
) -> dict[str, float]:
    """Evaluate on the config's test data and on other domains.

    Args:
        cfg (Config): Complete.
        domains (Mapping[str, dict]): By name, ``dataset``, the config of a
            data set without its pipeline, which is that of the config; and
            ``class_names`` of the head, if the domain has others.
        checkpoint (str, optional): What was learned; None for hand-written
            prompts.
        work_dir (Path): For the logs.

    Returns:
        dict[str, float]: Accuracy in percent by name; the config's own data
        are ``'test'``.
    """
    pipeline = cfg.test_dataloader.dataset.pipeline
    tests = {}
    for name, domain in domains.items():
        dataset = dict(domain['dataset'], pipeline=pipeline, _delete_=True)
        tests[name] = {'test_dataloader.dataset': dataset}
        names = domain.get('class_names')
        if names is not None and names != cfg.model.head.get('class_names'):
            tests[name]['model.head.class_names'] = names
    metrics = evaluate(cfg, tests, checkpoint, work_dir)
    return {name: found[METRIC] for name, found in metrics.items()}


def base_to_new(cfg: Config, folder: RunFolder) -> dict[str, float]:
    """Learn from the base classes, and evaluate on base and on new ones.

    Args:
        cfg (Config): An ordinary config, with any data set.
        folder (RunFolder): Where training goes on if it was interrupted.

    Returns:
        dict[str, float]: Accuracy in percent on ``base`` and ``new``, each
        among its own classes, and their ``harmonic_mean``.
    """
    # Tests change a whole loader, which dotted keys cannot wrap: hence two
    # complete ones.
    new = base_new_config(cfg, 'new')
    tests = {
        'new': {
            'test_dataloader.dataset': _replaced(new.test_dataloader.dataset),
            'model.head.class_names': _replaced(new.model.head.class_names),
        }
    }
    metrics: Metrics = train_and_test(
        base_new_config(cfg, 'base'), tests, folder
    )
    base, new = (metrics[name][METRIC] for name in ('test', 'new'))
    return dict(base=base, new=new, harmonic_mean=harmonic_mean(base, new))


def base_new_config(cfg: Config, part: str) -> Config:
    """Restrict a config to half of its classes.

    Args:
        cfg (Config): An ordinary config; it is not changed.
        part (str): 'base' or 'new'.

    Returns:
        Config: With every data set in a `BaseNew`, and the class names of
        the half.
    """
    cfg = copy.deepcopy(cfg)
    for name in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        loader = cfg.get(name)
        if loader is not None:
            loader.dataset = _half(loader.dataset, part)
    cfg.model.head.class_names = half_of_names(cfg, part)
    return cfg


def half_of_names(cfg: Config, part: str) -> list[str]:
    """Name the classes of a half.

    Args:
        cfg (Config): Whose test data are restricted already.
        part (str): 'base' or 'new'.

    Returns:
        list[str]: In the order of the new labels.
    """
    given = cfg.model.head.get('class_names')
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        if given is None:
            names = resolve_class_names(cfg.test_dataloader.dataset)
            return list(names)
        names = resolve_class_names(given)
    return [names[label] for label in classes_of_part(len(names), part)]


def _half(dataset: ConfigDict, part: str) -> ConfigDict:
    return ConfigDict(type='mmcoop.BaseNew', part=part, dataset=dataset)


def _replaced(value):
    """Mark a dict so that merging replaces what was there."""
    if isinstance(value, Mapping):
        return dict(value, _delete_=True)
    return value
