"""The paper's figure: accuracy against shots, for each data set."""

from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from .results import AVERAGE, Cell, datasets_of, series_of

COLUMNS = 4
# Told apart also without colours: Okabe and Ito's, which most colour-blind
# people can tell apart, with a marker each.
COLOURS = (
    '#0072B2',
    '#D55E00',
    '#009E73',
    '#CC79A7',
    '#56B4E9',
    '#E69F00',
    '#000000',
)
MARKERS = 'os^Dvp<'


def draw(cells: Sequence[Cell], test: str = 'test') -> Figure:
    """Draw a panel per data set, the average first.

    Args:
        cells (Sequence[Cell]): The results.
        test (str): Which test.

    Returns:
        Figure: What needs no shots is a star at 0; the rest are lines with
        a standard deviation over seeds.
    """
    cells = [cell for cell in cells if cell.test == test]
    datasets = sorted(datasets_of(cells), key=lambda name: name != AVERAGE)
    return _draw_panels(
        {name: [c for c in cells if c.dataset == name] for name in datasets},
        series_of(cells),
    )


def draw_tests(cells: Sequence[Cell], dataset: str) -> Figure:
    """Draw a panel per test of one data set, as for unseen styles.

    Args:
        cells (Sequence[Cell]): The results.
        dataset (str): Which data set.

    Returns:
        Figure: As :func:`draw`.
    """
    cells = [cell for cell in cells if cell.dataset == dataset]
    tests = dict.fromkeys(cell.test for cell in cells)
    return _draw_panels(
        {name: [c for c in cells if c.test == name] for name in tests},
        series_of(cells),
    )


def save(figure: Figure, path: Path) -> list[Path]:
    """Write a figure as PNG and SVG.

    Args:
        figure (Figure): From this module.
        path (Path): Without an ending.

    Returns:
        list[Path]: The files.
    """
    FigureCanvasAgg(figure)
    files = [path.with_suffix(end) for end in ('.png', '.svg')]
    for file in files:
        # Without a date: the same results give the same file.
        metadata = {'Date': None} if file.suffix == '.svg' else None
        figure.savefig(file, dpi=150, metadata=metadata)
    return files


def _draw_panels(panels: dict[str, list[Cell]], series: list[str]) -> Figure:
    columns = min(COLUMNS, len(panels))
    rows = -(-len(panels) // columns)
    figure = Figure(
        figsize=(3.2 * columns + 0.4, 2.7 * rows + 0.9), layout='constrained'
    )
    axes = figure.subplots(rows, columns, squeeze=False).flat
    for axis, (title, cells) in zip(axes, panels.items(), strict=False):
        axis.set_title(title)
        for index, name in enumerate(series):
            _draw_series(axis, [c for c in cells if c.series == name], index)
        axis.set_xlabel('labelled images per class')
        axis.set_ylabel('accuracy in %')
        shots = sorted({cell.shots for cell in cells})
        axis.set_xticks(shots, [str(number) for number in shots])
        axis.grid(alpha=0.3)
    for axis in list(axes):
        axis.set_visible(False)
    handles = {}
    for axis in figure.axes:
        for handle, label in zip(
            *axis.get_legend_handles_labels(), strict=True
        ):
            handles.setdefault(label, handle)
    figure.legend(
        handles.values(),
        handles,
        loc='outside lower center',
        ncols=min(4, max(1, len(handles))),
        frameon=False,
    )
    return figure


def _draw_series(axis: Axes, cells: list[Cell], index: int) -> None:
    if not cells:
        return
    cells = sorted(cells, key=lambda cell: cell.shots)
    name = cells[0].series
    colour = COLOURS[index % len(COLOURS)]
    if cells[-1].shots == 0:
        axis.plot(
            0, cells[0].mean, '*', color=colour, markersize=12, label=name
        )
        return
    if name.endswith('(paper)'):
        style = 'none'
    else:
        style = '--' if 'linear probe' in name else '-'
    axis.errorbar(
        [cell.shots for cell in cells],
        [cell.mean for cell in cells],
        yerr=[cell.std for cell in cells],
        color=colour,
        marker=MARKERS[index % len(MARKERS)],
        markersize=4,
        linestyle=style,
        capsize=2,
        label=name,
    )
