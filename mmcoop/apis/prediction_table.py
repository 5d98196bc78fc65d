"""Predictions as a table for people, and as a CSV file."""

import csv
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from .prediction import Prediction

HEAD = ('path', 'name', 'score', 'label', 'rejected', 'error')


def to_table(predictions: Sequence[Prediction]) -> str:
    """Write a line per image.

    Args:
        predictions (Sequence[Prediction]): One per image.

    Returns:
        str: Path, name and score; and the name and score of each further
        class that is listed.
    """
    rows = [('image', 'name', 'score'), *map(_row, predictions)]
    widths = [max(len(row[column]) for row in rows) for column in (0, 1)]
    lines = [
        f'{row[0]:{widths[0]}}  {row[1]:{widths[1]}}  ' + '  '.join(row[2:])
        for row in rows
    ]
    return '\n'.join(line.rstrip() for line in lines)


@contextmanager
def whole_file(path: Path) -> Iterator[TextIO]:
    """Write a text file, which appears when it is complete or not at all.

    Args:
        path (Path): Where. What is there is replaced.

    Yields:
        TextIO: To write to; UTF-8, with line ends as they are written.

    Raises:
        OSError: At once, if no file can be written there.
    """
    part = path.with_name(f'.{path.name}.{os.getpid()}')
    try:
        if path.is_dir():
            raise IsADirectoryError('it is a folder')
        part.touch()
    except OSError as error:
        raise OSError(
            f'{path} cannot be written: {error.strerror or error}. Choose a '
            'file in a folder that is there and yours to write to.'
        ) from error
    try:
        # Names of files may hold bytes that are no text; they are kept.
        with open(
            part, 'w', newline='', encoding='utf-8', errors='surrogateescape'
        ) as file:
            yield file
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def write_csv(predictions: Iterable[Prediction], file: TextIO) -> None:
    """Write a line per image: path, name, score, label, rejected, error.

    Classes after the first follow as name_2, score_2 and so on.

    Args:
        predictions (Iterable[Prediction]): One per image.
        file (TextIO): Opened with ``newline=''``.
    """
    predictions = list(predictions)
    most = max((len(item.names) for item in predictions), default=0)
    further = [
        column
        for rank in range(2, most + 1)
        for column in (f'name_{rank}', f'score_{rank}')
    ]
    writer = csv.writer(file)
    writer.writerow([*HEAD, *further])
    for item in predictions:
        pairs = zip(item.names[1:], item.scores[1:], strict=True)
        writer.writerow(
            [
                item.source,
                item.name,
                item.score,
                item.label,
                item.rejected,
                item.error,
                *(cell for pair in pairs for cell in pair),
            ]
        )


def _row(item: Prediction) -> tuple[str, ...]:
    # Terminals cannot show bytes that are no text.
    source = item.source.encode(errors='backslashreplace').decode()
    if item.error is not None:
        return source, '-', f'error: {item.error}'
    first = 1
    if item.rejected:  # then the nearest class is of interest, too
        first = 0
    pairs = zip(item.names[first:], item.scores[first:], strict=True)
    more = [f'{name} {score:.3f}' for name, score in pairs]
    return source, item.name, f'{item.score:.3f}', *more
