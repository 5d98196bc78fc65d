"""Image features on disk: a matrix to map into memory, and what made it.

- ``NAME.npy``: (V, n, E), the raw features of V views of n images.
- ``NAME.json``: the origin that the features were computed from, and a
  SHA-256 for every block of rows. It is written last: without it there are
  no features.
- ``NAME.npy.part`` and ``NAME.journal``: the same while it is being written;
  the journal holds the header, then a line with a checksum per block.

Nothing here is a pickle, so reading runs no code from the file.
"""

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import numpy as np

from mmcoop.text_files import parse_json, read_json, read_text

FORMAT = 1
DTYPES = ('float16', 'float32', 'float64')


class UnusableFeaturesError(RuntimeError):
    """Kept features are missing, incomplete or damaged."""


def read_header(path: Path) -> dict[str, Any]:
    """Read what is known about kept features.

    Args:
        path (Path): NAME, without ending.

    Returns:
        dict: ``origin``, ``shape``, ``dtype``, ``rows_per_block`` and
        ``checksums``.

    Raises:
        UnusableFeaturesError: If there are none, or the file is damaged.
    """
    file = _with(path, '.json')
    try:
        header = read_json(file)
    except FileNotFoundError as error:
        raise UnusableFeaturesError(
            f'there are none at {file.absolute()}'
        ) from error
    except (OSError, ValueError) as error:
        raise UnusableFeaturesError(f'{file} is damaged ({error})') from error
    _check_header(header, file)
    if not isinstance(header.get('checksums'), list):
        raise UnusableFeaturesError(f'{file} is damaged (it has no checksums)')
    return header


def open_features(path: Path, header: dict[str, Any]) -> np.ndarray:
    """Map kept features into memory, after checking every byte.

    Args:
        path (Path): NAME, without ending.
        header (dict): Of :func:`read_header`.

    Returns:
        np.ndarray: (V, n, E), read-only.

    Raises:
        UnusableFeaturesError: If they are not what the header says.
    """
    file = _with(path, '.npy')
    features = _open_matrix(file, header, 'r')
    rows = features.reshape(-1, features.shape[-1])
    size = header['rows_per_block']
    found = [
        _checksum(rows[start : start + size])
        for start in range(0, len(rows), size)
    ]
    if found != header['checksums']:
        raise UnusableFeaturesError(
            f'{file} is damaged: its checksums are not those in '
            f'{_with(path, ".json").name}'
        )
    return features


class FeatureWriter:
    """Write features block by block, and go on after an interruption.

    What is there from an earlier attempt with the same origin is checked
    against its checksums, and kept as far as it is sound.

    Args:
        path (Path): NAME, without ending.
        origin (dict): What the features are computed from, as JSON has it.
        num_views (int): V.
        num_images (int): n.
        rows_per_block (int): Rows that come at a time; fewer at the end.

    Attributes:
        done (int): Rows that need not be computed, out of V * n.
    """

    def __init__(
        self,
        path: Path,
        origin: dict[str, Any],
        num_views: int,
        num_images: int,
        rows_per_block: int,
    ) -> None:
        self._path = path
        self._origin = origin
        self._shape = (num_views, num_images)
        self._rows_per_block = rows_per_block
        self._part = _with(path, '.npy.part')
        self._journal = _with(path, '.journal')
        self._header: dict[str, Any] | None = None
        self._checksums: list[str] = []
        self._rows: np.ndarray | None = None
        self.done = 0
        self._find_earlier_attempt()

    def append(self, rows: np.ndarray) -> None:
        """Write the next block.

        Args:
            rows (np.ndarray): (rows_per_block, E), or fewer at the end.
        """
        if self._rows is None:
            self._begin(rows)
        end = self.done + len(rows)
        self._rows[self.done : end] = rows
        self._checksums.append(_checksum(self._rows[self.done : end]))
        with self._journal.open('a', encoding='utf-8') as journal:
            journal.write(self._checksums[-1] + '\n')
        self.done = end

    def finish(self) -> None:
        """Give the files their names, once all rows are there."""
        self._rows.flush()
        # Windows cannot rename a file that is mapped.
        self._rows = None
        header = dict(self._header, checksums=self._checksums)
        text = json.dumps(header, indent=1, ensure_ascii=False)
        json_part = _with(self._path, '.json.part')
        json_part.write_text(text, encoding='utf-8')
        # Between the two steps an older header would not match the new
        # matrix: its checksums would refuse it.
        os.replace(self._part, _with(self._path, '.npy'))
        os.replace(json_part, _with(self._path, '.json'))
        self._journal.unlink()

    def _begin(self, first: np.ndarray) -> None:
        self._header = dict(
            format=FORMAT,
            origin=self._origin,
            shape=[*self._shape, first.shape[1]],
            dtype=first.dtype.name,
            rows_per_block=self._rows_per_block,
        )
        self._path.parent.mkdir(parents=True, exist_ok=True)
        # In this order: a journal never describes another attempt's matrix.
        self._journal.unlink(missing_ok=True)
        matrix = np.lib.format.open_memmap(
            self._part,
            mode='w+',
            dtype=first.dtype,
            shape=tuple(self._header['shape']),
        )
        self._rows = matrix.reshape(-1, first.shape[1])
        self._journal.write_text(
            json.dumps(self._header) + '\n', encoding='utf-8'
        )

    def _find_earlier_attempt(self) -> None:
        try:
            first, *checksums = read_text(self._journal).splitlines()
            header = parse_json(first)
            _check_header(header, self._journal)
            same = (
                header['origin'] == self._origin
                and tuple(header['shape'][:2]) == self._shape
                and header['rows_per_block'] == self._rows_per_block
            )
            if not same:
                return
            matrix = _open_matrix(self._part, header, 'r+')
        except (OSError, ValueError, UnusableFeaturesError):
            return  # nothing to go on from
        self._header = header
        self._rows = matrix.reshape(-1, matrix.shape[-1])
        for checksum in checksums:
            end = min(self.done + self._rows_per_block, len(self._rows))
            if _checksum(self._rows[self.done : end]) != checksum:
                break
            self._checksums.append(checksum)
            self.done = end
        # A kill may have left half a line, or a block may be damaged.
        lines = [json.dumps(header), *self._checksums]
        self._journal.write_text(
            ''.join(line + '\n' for line in lines), encoding='utf-8'
        )


def _check_header(header: Any, file: Path) -> None:
    """Refuse a header that is not ours, before anything is made of it."""
    if not isinstance(header, dict) or header.get('format') != FORMAT:
        raise UnusableFeaturesError(
            f'{file} is not of format {FORMAT}, which this version reads'
        )
    shape, rows = header.get('shape'), header.get('rows_per_block')
    origin = header.get('origin')
    images = origin.get('images') if isinstance(origin, dict) else None
    if not (
        isinstance(shape, list)
        and len(shape) == 3
        and all(type(size) is int and size > 0 for size in [*shape, rows])
        and header.get('dtype') in DTYPES
        and isinstance(images, dict)
        and {'number', 'names'} <= set(images)
    ):
        raise UnusableFeaturesError(
            f'{file} is damaged (shape, dtype, rows_per_block or origin are '
            'not what mmcoop writes)'
        )


def _open_matrix(file: Path, header: dict[str, Any], mode: str) -> np.ndarray:
    try:
        matrix = np.lib.format.open_memmap(file, mode=mode)
    except FileNotFoundError as error:
        raise UnusableFeaturesError(
            f'there are none at {file.absolute()}'
        ) from error
    # No .npy, cut short, pickled objects; and a header that is meant to
    # break readers may end in nearly any error.
    except Exception as error:
        raise UnusableFeaturesError(f'{file} is damaged ({error})') from error
    if [*matrix.shape] != header['shape'] or matrix.dtype.name != header[
        'dtype'
    ]:
        raise UnusableFeaturesError(
            f'{file} holds {matrix.shape} numbers of {matrix.dtype}, but its '
            f'header says {header["shape"]} of {header["dtype"]}'
        )
    return matrix


def _checksum(rows: np.ndarray) -> str:
    return hashlib.sha256(np.ascontiguousarray(rows).data).hexdigest()


def _with(path: Path, ending: str) -> Path:
    # Not `with_suffix`: a name may have dots of its own.
    return path.parent / (path.name + ending)
