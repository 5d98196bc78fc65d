"""Tables of results: CSV, Markdown, LaTeX."""

import csv
import io
from collections.abc import Sequence

from .results import Cell, datasets_of, series_of


def to_csv(cells: Sequence[Cell]) -> str:
    """Write one line per cell.

    Args:
        cells (Sequence[Cell]): The results.

    Returns:
        str: With a head line; accuracies in percent.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator='\n')
    writer.writerow(
        ['series', 'dataset', 'test', 'shots', 'mean', 'std', 'seeds']
    )
    for cell in cells:
        numbers = f'{cell.mean:.2f}', f'{cell.std:.2f}', len(cell.values)
        writer.writerow(
            [cell.series, cell.dataset, cell.test, cell.shots, *numbers]
        )
    return text.getvalue()


def to_markdown(cells: Sequence[Cell]) -> str:
    """Write a table for each test, with a column per number of shots.

    Args:
        cells (Sequence[Cell]): The results.

    Returns:
        str: Accuracies in percent, mean ± standard deviation over seeds.
    """
    parts = []
    for test, head, rows in _tables(cells, '{:.1f} ± {:.1f}', '–'):
        lines = [
            f'### {test}',
            '',
            '| ' + ' | '.join(head) + ' |',
            '|' + ' --- |' * 2 + ' ---: |' * (len(head) - 2),
            *('| ' + ' | '.join(row) + ' |' for row in rows),
        ]
        parts.append('\n'.join(lines) + '\n')
    return '\n'.join(parts)


def to_latex(cells: Sequence[Cell]) -> str:
    """Write a table for each test; needs the package booktabs.

    Args:
        cells (Sequence[Cell]): The results.

    Returns:
        str: As :func:`to_markdown`.
    """
    parts = []
    for test, head, rows in _tables(cells, '{:.1f} $\\pm$ {:.1f}', '--'):
        lines = [
            f'% {test}',
            '\\begin{tabular}{ll' + 'r' * (len(head) - 2) + '}',
            '\\toprule',
            ' & '.join(map(_escape, head)) + ' \\\\',
            '\\midrule',
            *(
                ' & '.join([*map(_escape, row[:2]), *row[2:]]) + ' \\\\'
                for row in rows
            ),
            '\\bottomrule',
            '\\end{tabular}',
        ]
        parts.append('\n'.join(lines) + '\n')
    return '\n'.join(parts)


def _tables(cells: Sequence[Cell], form: str, empty: str):
    """Give test, head and rows of each table."""
    for test in dict.fromkeys(cell.test for cell in cells):
        chosen = [cell for cell in cells if cell.test == test]
        shots = sorted({cell.shots for cell in chosen})
        by_place = {(c.dataset, c.series, c.shots): c for c in chosen}
        head = ['data set', 'method']
        head += [f'{n} shot{"s" * (n > 1)}' if n else '–' for n in shots]
        rows = []
        for dataset in datasets_of(chosen):
            for series in series_of(chosen):
                row = [by_place.get((dataset, series, n)) for n in shots]
                if any(row):
                    texts = [_number(cell, form, empty) for cell in row]
                    rows.append([dataset, series, *texts])
        yield test, head, rows


def _number(cell: Cell | None, form: str, empty: str) -> str:
    if cell is None:
        return empty
    if len(cell.values) == 1:
        return f'{cell.mean:.1f}'
    return form.format(cell.mean, cell.std)


def _escape(text: str) -> str:
    for mark in '&%_#':
        text = text.replace(mark, f'\\{mark}')
    return text.replace('–', '--')
