"""What a sweep runs: the product of a few axes, each run an ordinary config.

A sweep file is a Python file that sets ``grids``, a list of dicts::

    grids = [
        dict(
            labels={'method': 'CoOp'},
            common={'_base_.config': '../coop/tinyclip_16shot_emoji.py'},
            axes={
                'shots': {n: {'train_dataloader.dataset.num_shots': n}
                          for n in (1, 4, 16)},
                'seed': {n: {'train_dataloader.dataset.seed': n,
                             'randomness.seed': n} for n in (1, 2, 3)},
            },
        )
    ]

Keys with dots change the config as ``--cfg-options`` does. A key
``_base_.ROLE`` names a config to inherit from, by a path relative to the
sweep file; an axis or exception that gives the same role takes its place.
"""

import itertools
import runpy
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mmengine.config import Config

BASE = '_base_.'
KEYS = ('labels', 'common', 'axes', 'exceptions', 'tests', 'job')
# Run names are folders, `AXIS=LABEL`.
FORBIDDEN = ('/', '\\', '\0')


@dataclass(frozen=True)
class Run:
    """One run of a sweep.

    Attributes:
        labels (dict[str, str]): What tells it from others, by axis.
        settings (dict[str, Any]): Dotted keys and values; see the module.
        folder (Path): That paths in the settings are relative to.
        job (str): What to do; a key of ``worker.JOBS``.
        tests (dict[str, dict]): By name, settings of further evaluations
            after training.
    """

    labels: dict[str, str]
    settings: dict[str, Any]
    folder: Path
    job: str = 'train_and_test'
    tests: dict[str, dict] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """str: A relative path, unique in the sweep."""
        parts = [f'{axis}={label}' for axis, label in self.labels.items()]
        return '/'.join(parts).replace(' ', '_')

    def config(self) -> Config:
        """Build the complete config.

        Returns:
            Config: Without anything of the sweep in it.
        """
        bases = {
            key[len(BASE) :]: str((self.folder / value).resolve())
            for key, value in self.settings.items()
            if key.startswith(BASE)
        }
        with tempfile.TemporaryDirectory() as folder:
            # Named after the configuration it stands on, which names logs.
            file = Path(folder, 'config.py')
            file.write_text(f'_base_ = {list(bases.values())!r}\n')
            cfg = Config.fromfile(file)
        cfg.merge_from_dict(
            {k: v for k, v in self.settings.items() if not k.startswith(BASE)}
        )
        return cfg


def read_sweep(filename: str) -> list[Run]:
    """Read a sweep file.

    Args:
        filename (str): Its path.

    Returns:
        list[Run]: All runs, in the order of the file.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it has no runs, unknown keys, or two runs of one name.
    """
    path = Path(filename)
    if not path.is_file():
        raise FileNotFoundError(
            f'There is no sweep {path.absolute()}: give a file like '
            'configs/sweeps/emoji.py.'
        )
    grids = runpy.run_path(str(path)).get('grids')
    if not isinstance(grids, list) or not grids:
        raise ValueError(
            f'{filename} has grids = {grids!r}: set it to a list of dicts, '
            'as configs/sweeps/emoji.py does.'
        )
    runs = [run for grid in grids for run in _expand(grid, path)]
    names = [run.name for run in runs]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(
            f'{filename} has {len(twice)} names for several runs, like '
            f'{twice[0]}: give its grids different labels.'
        )
    return runs


def _expand(grid: Mapping, path: Path) -> Iterator[Run]:
    """Give each combination of a grid's axes."""
    unknown = sorted(set(grid) - set(KEYS))
    if unknown:
        raise ValueError(
            f'a grid of {path} has {", ".join(unknown)}: the keys are '
            f'{", ".join(KEYS)}.'
        )
    axes = grid.get('axes', {})
    exceptions = grid.get('exceptions', [])
    for exception in exceptions:
        _check_exception(exception, axes, path)
    for values in itertools.product(*axes.values()):
        chosen = dict(zip(axes, values, strict=True))
        settings = dict(grid.get('common', {}))
        for axis, value in chosen.items():
            settings.update(axes[axis][value])
        for exception in exceptions:
            where = exception['where']
            if all(chosen[axis] in where[axis] for axis in where):
                settings.update(exception['settings'])
        labels = {**grid.get('labels', {}), **chosen}
        labels = {str(axis): str(label) for axis, label in labels.items()}
        _check_labels(labels, path)
        yield Run(
            labels=labels,
            settings=settings,
            folder=path.parent.resolve(),
            job=grid.get('job', 'train_and_test'),
            tests=grid.get('tests', {}),
        )


def _check_exception(exception: Mapping, axes: Mapping, path: Path) -> None:
    """Refuse an exception that could never hold, as by a misspelt name."""
    if set(exception) != {'where', 'settings'}:
        raise ValueError(
            f'an exception of {path} has the keys {sorted(exception)}: give '
            'dict(where={AXIS: [VALUES]}, settings={…}).'
        )
    for axis, values in exception['where'].items():
        missing = [v for v in values if v not in axes.get(axis, {})]
        if axis not in axes or missing:
            raise ValueError(
                f'an exception of {path} holds where {axis} is {values}, but '
                f'the axes are { {a: list(v) for a, v in axes.items()} }: '
                'correct the name.'
            )


def _check_labels(labels: Mapping[str, str], path: Path) -> None:
    bad = [
        text
        for pair in labels.items()
        for text in pair
        if not text or any(mark in text for mark in FORBIDDEN)
    ]
    if bad:
        raise ValueError(
            f'{path} has the label {bad[0]!r}: labels become names of '
            'folders, so they must not be empty nor contain a slash.'
        )
