"""Read text and JSON from files that anybody may have written.

What is read is bounded, so that a device or a sparse file cannot fill the
memory; and JSON is read as the standard has it, not as Python extends it.
"""

import json
import os
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import Any

# A split file of all of ImageNet is a quarter of this.
MAX_BYTES = 1 << 29


def read_text(path: str | Path) -> str:
    """Read a text file in UTF-8, with or without a byte order mark.

    Args:
        path (str | Path): A regular file.

    Returns:
        str: Its text, with '\\n' between lines.

    Raises:
        OSError: If it cannot be opened, as when it does not exist.
        ValueError: If it is no regular file, too large, or not UTF-8.
    """
    # A pipe would be waited for, a device might never end.
    status = os.stat(path)
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(f'{path} is a folder: wanted a text file.')
    if not stat.S_ISREG(status.st_mode):
        raise ValueError(f'{path} is a device or a pipe: wanted a text file.')
    if status.st_size > MAX_BYTES:
        raise ValueError(
            f'{path} has {status.st_size >> 20} MiB: at most '
            f'{MAX_BYTES >> 20} MiB of text are read.'
        )
    try:
        return Path(path).read_text(encoding='utf-8-sig')
    except UnicodeDecodeError as error:
        raise ValueError(
            f'{path} is not UTF-8 text ({error.reason} at byte '
            f'{error.start}): save it as UTF-8.'
        ) from error


def read_lines(path: str | Path) -> list[str]:
    """Read the lines of a text file.

    Args:
        path (str | Path): A regular file.

    Returns:
        list[str]: Without their ends.

    Raises:
        OSError: If it cannot be opened.
        ValueError: As :func:`read_text` does.
    """
    # Not `splitlines`, which also divides at characters that editors show
    # within a line, and so would shift all labels that follow.
    return read_text(path).removesuffix('\n').split('\n')


def read_json(path: str | Path) -> Any:
    """Read a JSON file.

    Args:
        path (str | Path): A regular file.

    Returns:
        Any: Dicts, lists and plain values.

    Raises:
        OSError: If it cannot be opened.
        ValueError: If it is no JSON: also not numbers, keys given twice or
            nested deeper than Python can follow.
    """
    return parse_json(read_text(path))


def parse_json(text: str) -> Any:
    """Parse JSON.

    Args:
        text (str): What a file holds.

    Returns:
        Any: Dicts, lists and plain values.

    Raises:
        ValueError: As :func:`read_json` does.
    """
    try:
        return json.loads(
            text,
            parse_constant=_refuse_constant,
            object_pairs_hook=_without_twins,
        )
    except RecursionError as error:
        raise ValueError('it is nested too deep') from error


def _refuse_constant(name: str) -> None:
    raise ValueError(f'{name} is no number of JSON')


def _without_twins(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) < len(pairs):
        keys = [key for key, _ in pairs]
        twin = next(key for key in content if keys.count(key) > 1)
        raise ValueError(f'the key {twin!r} is there twice')
    return content
