"""The results of finished runs, summed up over seeds."""

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mmcoop.text_files import read_json

METRIC = 'accuracy/top1'
AVERAGE = 'Average'
# The axes that have a place of their own in tables and figures; all others
# together name a series.
METHOD, DATASET, SHOTS, SEED = 'method', 'dataset', 'shots', 'seed'


@dataclass(frozen=True)
class Cell:
    """Accuracy in one setting, over seeds.

    Attributes:
        series (str): The method, and what else was varied.
        dataset (str): On which data, or `AVERAGE`.
        test (str): ``'test'``, or the name of a further test.
        shots (int): 0 where there is nothing to learn from.
        values (tuple[float]): In percent, by seed.
    """

    series: str
    dataset: str
    test: str
    shots: int
    values: tuple[float, ...]

    @property
    def mean(self) -> float:
        """float: Over seeds, in percent."""
        return float(np.mean(self.values))

    @property
    def std(self) -> float:
        """float: Of the seeds as they are (not of a sample), as in CoOp."""
        return float(np.std(self.values))


def read_results(folders: Iterable[str | Path]) -> list[Cell]:
    """Gather what sweeps have left.

    Args:
        folders (Iterable): Work directories of sweeps.

    Returns:
        list[Cell]: Per data set, and the average over data sets for series
        that have results on all of them.

    Raises:
        FileNotFoundError: If a folder has no results.
        ValueError: If a file is no result of a run.
    """
    values: dict[tuple, dict[str, float]] = defaultdict(dict)
    for folder in folders:
        files = sorted(Path(folder).rglob('result.json'))
        if not files:
            raise FileNotFoundError(
                f'{Path(folder).absolute()} has no results (result.json): '
                'give the work directory of a sweep in which at least one '
                'run has finished.'
            )
        for file in files:
            labels, metrics = _read(file)
            for test, found in metrics.items():
                if METRIC in found:
                    key, seed = _place(labels, test)
                    values[key][seed] = found[METRIC]
    cells = [
        Cell(*key, tuple(found[seed] for seed in sorted(found)))
        for key, found in values.items()
    ]
    return [*cells, *_averages(values)]


def series_of(cells: Sequence[Cell]) -> list[str]:
    """Name the series, in the order of their first cells.

    Args:
        cells (Sequence[Cell]): From :func:`read_results`.

    Returns:
        list[str]: Each once.
    """
    return list(dict.fromkeys(cell.series for cell in cells))


def datasets_of(cells: Sequence[Cell]) -> list[str]:
    """Name the data sets, the average last.

    Args:
        cells (Sequence[Cell]): From :func:`read_results`.

    Returns:
        list[str]: Each once.
    """
    names = dict.fromkeys(cell.dataset for cell in cells)
    return sorted(names, key=lambda name: name == AVERAGE)


def _read(file: Path) -> tuple[dict[str, str], dict[str, dict]]:
    """Read the labels and metrics of a run."""
    try:
        content = read_json(file)
    except ValueError as error:
        raise ValueError(f'{file} is no JSON ({error}).') from error
    labels, metrics = {}, {}
    if isinstance(content, dict):
        labels, metrics = content.get('labels'), content.get('metrics')
    if not (
        isinstance(labels, dict)
        and all(isinstance(label, str) for label in labels.values())
        and _is_count(labels.get(SHOTS, '0'))
        and isinstance(metrics, dict)
        and all(map(_is_measured, metrics.values()))
    ):
        raise ValueError(
            f'{file} is no result of a run: wanted "labels", with a text for '
            'each axis and a number for "shots", and "metrics", with numbers '
            'for each test. Delete the folder and run the sweep again.'
        )
    return labels, metrics


def _is_count(text: str) -> bool:
    return text.removeprefix('-').isdecimal() and len(text) < 10


def _is_measured(found: Any) -> bool:
    value = found.get(METRIC, 0.0) if isinstance(found, dict) else None
    return isinstance(value, int | float) and math.isfinite(value)


def _place(labels: dict[str, str], test: str) -> tuple[tuple, str]:
    """Say which cell a result belongs to, and under which seed."""
    others = [
        label
        for axis, label in labels.items()
        if axis not in (METHOD, DATASET, SHOTS, SEED)
    ]
    series = ', '.join([labels.get(METHOD, 'CoOp'), *others])
    dataset = labels.get(DATASET, 'data')
    shots = int(labels.get(SHOTS, 0))
    return (series, dataset, test, shots), labels.get(SEED, '')


def _averages(values: dict[tuple, dict[str, float]]) -> list[Cell]:
    """Average over data sets, seed by seed, where none is missing."""
    datasets = {dataset for _, dataset, _, _ in values}
    if len(datasets) < 2:
        return []
    by_setting: dict[tuple, dict[str, dict]] = defaultdict(dict)
    for (series, dataset, test, shots), found in values.items():
        by_setting[series, test, shots][dataset] = found
    cells = []
    for (series, test, shots), found in by_setting.items():
        seeds = set.intersection(*(set(seeds) for seeds in found.values()))
        if set(found) == datasets and seeds:
            means = tuple(
                float(np.mean([found[name][seed] for name in found]))
                for seed in sorted(seeds)
            )
            cells.append(Cell(series, AVERAGE, test, shots, means))
    return cells
