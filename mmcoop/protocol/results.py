"""The results of finished runs, summed up over seeds."""

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

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
            result = json.loads(file.read_text(encoding='utf-8'))
            for test, metrics in result['metrics'].items():
                if METRIC in metrics:
                    key, seed = _place(result['labels'], test)
                    values[key][seed] = metrics[METRIC]
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
