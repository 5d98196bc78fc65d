"""What the command line adds to a config."""

import difflib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mmengine.config import Config, ConfigDict
from mmengine.device import get_device

LOADERS = ('train_dataloader', 'val_dataloader', 'test_dataloader')


class CommandError(ValueError):
    """A command asks for what cannot be done; the message says why."""


def read_config(filename: str, work_dir: str | None = None) -> Config:
    """Read a config and decide where its results go.

    Args:
        filename (str): Path of the config.
        work_dir (str, optional): Where the results go. Without it: what the
            config says, else ``./work_dirs/NAME_OF_THE_CONFIG``.

    Returns:
        Config: With ``work_dir`` set.

    Raises:
        CommandError: If there is no such file.
    """
    path = Path(filename)
    if not path.is_file():
        raise CommandError(
            f'The config {filename} does not exist (looked for '
            f'{path.absolute()}).{_similar_files(path)}'
        )
    cfg = Config.fromfile(filename)
    if work_dir is not None:
        cfg.work_dir = work_dir
    elif cfg.get('work_dir') is None:
        cfg.work_dir = str(Path('work_dirs', path.stem))
    return cfg


def set_loader_defaults(
    cfg: Config,
    *,
    pin_memory: bool = True,
    persistent_workers: bool = True,
) -> None:
    """Fill in how batches are fetched, where the config does not say.

    Args:
        cfg (Config): Changed in place.
        pin_memory (bool): False turns it off, whatever the config says.
        persistent_workers (bool): Likewise.
    """
    # Pinned pages speed up copies to an accelerator; where there is none to
    # copy to, torch warns.
    pin_memory = pin_memory and get_device() not in ('cpu', 'mps')
    for name in LOADERS:
        loader = cfg.get(name)
        if loader is None:
            continue
        loader.setdefault('collate_fn', dict(type='default_collate'))
        loader.setdefault('pin_memory', True)
        loader.pin_memory = loader.pin_memory and pin_memory
        # torch refuses persistence of no workers
        has_workers = loader.get('num_workers', 0) > 0
        loader.setdefault('persistent_workers', True)
        loader.persistent_workers = (
            loader.persistent_workers and persistent_workers and has_workers
        )


def use_mixed_precision(cfg: Config) -> None:
    """Let the optimiser compute in half precision where that is safe.

    Args:
        cfg (Config): Changed in place: ``optim_wrapper``.

    Raises:
        CommandError: If there is no accelerator.
    """
    if get_device() == 'cpu':
        raise CommandError(
            '--amp trains in half precision on an accelerator, but torch '
            'finds none here: leave --amp out.'
        )
    cfg.optim_wrapper.type = 'AmpOptimWrapper'
    cfg.optim_wrapper.setdefault('loss_scale', 'dynamic')


def scale_learning_rate(cfg: Config) -> None:
    """Let the learning rate follow the batch size of all processes.

    Args:
        cfg (Config): Changed in place: ``auto_scale_lr``.

    Raises:
        CommandError: If the config does not say what to scale from.
    """
    if 'base_batch_size' not in (cfg.get('auto_scale_lr') or {}):
        raise CommandError(
            '--auto-scale-lr needs the batch size that the learning rate in '
            'the config is meant for, and the config does not tell: add '
            'auto_scale_lr = dict(base_batch_size=…) to it.'
        )
    cfg.auto_scale_lr.enable = True


def draw_predictions(cfg: Config, **options: Any) -> None:
    """Draw images with their predicted class during an evaluation.

    Args:
        cfg (Config): Changed in place: ``default_hooks.visualization``.
        **options: Of mmpretrain's `VisualizationHook`.
    """
    hooks = cfg.get('default_hooks') or {}
    hook = hooks.get('visualization') or dict(
        type='mmpretrain.VisualizationHook'
    )
    cfg.default_hooks = dict(
        hooks, visualization={**hook, **options, 'enable': True}
    )


def use_test_time_augmentation(cfg: Config) -> None:
    """Evaluate several views of each image and average what they say.

    Args:
        cfg (Config): Changed in place: the model, and the pipeline of the
            test data. ``tta_model`` and ``tta_pipeline`` are used if there.

    Raises:
        CommandError: If no pipeline of test data is found to put views into.
    """
    found = [item for _, item in _datasets(cfg.test_dataloader.dataset)]
    dataset = next((item for item in found if 'pipeline' in item), None)
    if dataset is None:
        raise CommandError(
            '--tta changes the pipeline of test_dataloader.dataset, and '
            'there is none in the config: add one, or leave --tta out.'
        )
    if 'tta_pipeline' not in cfg:
        *steps, pack = dataset.pipeline
        views = [dict(type='RandomFlip', prob=prob) for prob in (0.0, 1.0)]
        in_views = dict(type='TestTimeAug', transforms=[views, [pack]])
        cfg.tta_pipeline = [*steps, in_views]
    if 'tta_model' not in cfg:
        cfg.tta_model = dict(type='mmpretrain.AverageClsScoreTTA')
    dataset.pipeline = cfg.tta_pipeline
    cfg.model = dict(**cfg.tta_model, module=cfg.model)


def check_data_roots(cfg: Config, loaders: tuple[str, ...] = LOADERS) -> None:
    """Look for the data before the model is built, which may take minutes.

    mmcoop's own data sets are passed over: they look for themselves, and
    may be able to make what is missing.

    Args:
        cfg (Config): Of the run.
        loaders (tuple[str]): The fields that will be used.

    Raises:
        CommandError: If the folder of a data set does not exist.
    """
    for name in loaders:
        loader = cfg.get(name) or {}
        for place, dataset in _datasets(loader.get('dataset')):
            root = dataset.get('data_root') or ''
            is_remote = '://' in root
            is_ours = str(dataset.get('type')).startswith('mmcoop.')
            if not root or is_remote or is_ours or Path(root).is_dir():
                continue
            raise CommandError(
                f'The data of {name} are missing: data_root={root!r} '
                f'is no folder (looked for {Path(root).absolute()}). Put or '
                'link the data there, or set data_root in the config or '
                f'with --cfg-options {name}.{place}.data_root=FOLDER.'
            )


def _datasets(
    node: Any, place: str = 'dataset'
) -> Iterator[tuple[str, ConfigDict]]:
    """Give each data set's place and config, also those inside wrappers."""
    if isinstance(node, dict):
        yield place, node
        for key in ('dataset', 'datasets'):
            yield from _datasets(node.get(key), f'{place}.{key}')
    elif isinstance(node, list | tuple):
        for index, item in enumerate(node):
            yield from _datasets(item, f'{place}.{index}')


def _similar_files(path: Path) -> str:
    """Name the configs beside a missing one whose names are like its."""
    there = [file.name for file in path.parent.glob('*.py')]
    close = difflib.get_close_matches(path.name, there)
    if not close:
        return ''
    return (
        ' Did you mean '
        + ' or '.join(str(path.parent / name) for name in close)
        + '?'
    )
