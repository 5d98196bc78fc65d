"""Read mmengine's checkpoints without running code from them.

A checkpoint is a pickle, which may call any function as it is read. torch's
``weights_only=True`` permits tensors and plain values alone, and mmengine
also stores its log's history. Of the two ways around that, the one taken by
many (``weights_only=False``) gives the safety up. This file takes the other:
it permits the few classes that the history is made of, for as long as the
file is being read; numpy's are replaced (see `plain_arrays`).

mmengine looks up its loaders by the scheme of the path: here are those for
local files and URLs. They replace mmengine's own for the whole process.
"""

import mmap
import os
import pickle
import re
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import torch
from mmengine.config import ConfigDict
from mmengine.dist import barrier, is_main_process
from mmengine.logging import HistoryBuffer
from mmengine.runner import CheckpointLoader

from .plain_arrays import (
    PlainArray,
    PlainType,
    make_array,
    make_scalar,
    no_bytes,
)

# As in `torch.load`
MapLocation = Callable | torch.device | str | dict | None

STATISTICS = ('current', 'max', 'mean', 'min')
# What torch permits though it makes as many bytes as the file asks for
BYTEARRAY = re.compile(rb'c(__builtin__|builtins)\nbytearray\n')


@CheckpointLoader.register_scheme(prefixes='', force=True)
def load_from_local(filename: str, map_location: MapLocation = None) -> Any:
    """Read a checkpoint from a file.

    Args:
        filename (str): Its path; ``~`` is expanded.
        map_location: As in `torch.load`.

    Returns:
        Any: What is stored, a dict if mmengine wrote it.

    Raises:
        FileNotFoundError: If there is no such file.
        pickle.UnpicklingError: If it holds more than tensors, plain values
            and mmengine's history. Nothing in it has been run.
        RuntimeError: If it is damaged, no checkpoint, or would take more
            memory than it has bytes.
    """
    path = os.path.expanduser(filename)
    if not os.path.isfile(path):
        raise FileNotFoundError(
            f'The checkpoint {filename} does not exist (looked for '
            f'{os.path.abspath(path)}): correct the path. If it comes from '
            'a file named last_checkpoint, the folder has been moved: pass '
            'the checkpoint itself.'
        )
    with _only_harmless(filename):
        _refuse_expansion(path)
        checkpoint = torch.load(
            path, map_location=map_location, weights_only=True
        )
    return _without_code(checkpoint)


@CheckpointLoader.register_scheme(prefixes=('http://', 'https://'), force=True)
def load_from_http(url: str, map_location: MapLocation = None) -> Any:
    """Download a checkpoint into torch's cache and read it.

    Args:
        url (str): Where it is.
        map_location: As in `torch.load`.

    Returns:
        Any: What is stored, a dict if mmengine wrote it.

    Raises:
        pickle.UnpicklingError: As `load_from_local` does.
        RuntimeError: As `load_from_local` does.
    """
    name = os.path.basename(urlsplit(url).path)
    path = os.path.join(torch.hub.get_dir(), 'checkpoints', name)
    # One process downloads, the others find the file in the cache.
    try:
        if is_main_process() and not os.path.isfile(path):
            os.makedirs(os.path.dirname(path), exist_ok=True)
            torch.hub.download_url_to_file(url, path)
    finally:
        barrier()
    return load_from_local(path, map_location)


@contextmanager
def _only_harmless(filename: str) -> Iterator[None]:
    """Permit what mmengine stores, and explain what is refused."""
    try:
        with torch.serialization.safe_globals(_harmless()):
            yield
    except OSError:
        raise  # says what it is about
    # A file that is damaged, or made to break its reader, may end in nearly
    # any error.
    except Exception as error:
        foreign = re.search(r'GLOBAL (\S+)', str(error))
        if foreign is not None:
            raise pickle.UnpicklingError(
                f'The checkpoint {filename} is refused: it asks for '
                f'{foreign[1]}, which could run code from the file. Only '
                "tensors, plain values and mmengine's log history are read. "
                'Nothing was run. If you know where the file comes from, '
                'write its tensors alone to a new file.'
            ) from error
        first_line = f'{error}'.partition('\n')[0]
        raise RuntimeError(
            f'The checkpoint {filename} cannot be read: it is damaged, cut '
            'short or not a checkpoint of torch. Copy or download it again. '
            f'The reason: {first_line or type(error).__name__}'
        ) from error


def _refuse_expansion(path: str) -> None:
    """Refuse a small file that would fill the memory.

    torch writes a zip file without compression, and its reader would
    decompress what others put there.
    """
    if os.path.getsize(path) == 0:
        raise EOFError('it is empty')
    with open(path, 'rb') as file:
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            if BYTEARRAY.search(content):
                raise ValueError('it holds a bytearray')
        if not zipfile.is_zipfile(file):
            return  # torch's older form, or none
        with zipfile.ZipFile(file) as archive:
            entries = archive.infolist()
    claimed = sum(entry.file_size for entry in entries)
    compressed = any(entry.compress_type for entry in entries)
    if compressed or claimed > os.path.getsize(path):
        raise ValueError(
            'its parts are compressed or lie over each other, as torch '
            'never writes them'
        )


def _harmless() -> list[Any]:
    """List what a checkpoint may name: makers of plain numbers and lists.

    Returns:
        list: For `torch.serialization.safe_globals`.
    """
    # Their module's name depends on the version of numpy.
    cores = ('numpy.core.multiarray', 'numpy._core.multiarray')
    return [
        HistoryBuffer,
        ConfigDict,
        (_statistic, 'builtins.getattr'),
        (no_bytes, 'builtins.bytes'),
        (PlainArray, 'numpy.ndarray'),
        (PlainType, 'numpy.dtype'),
        *((make_array, f'{core}._reconstruct') for core in cores),
        *((make_scalar, f'{core}.scalar') for core in cores),
    ]


def _statistic(owner: type, name: str) -> Callable:
    """Stand in for `getattr`, which a history names its methods by.

    The real one would hand a file any attribute of anything: from a
    function its module's globals, and from there everything.
    """
    if owner is not HistoryBuffer or name not in STATISTICS:
        raise pickle.UnpicklingError(
            f'Unsupported global: GLOBAL builtins.getattr({owner}, {name!r})'
        )
    return getattr(owner, name)


def _without_code(checkpoint: Any) -> Any:
    """Drop the old text that mmengine would run as a config on resuming.

    ``meta['config']`` was written by mmengine's predecessors; since then it
    is ``meta['cfg']``, which is never run by the runner.
    """
    if isinstance(checkpoint, dict) and isinstance(
        checkpoint.get('meta'), dict
    ):
        checkpoint['meta'].pop('config', None)
    return checkpoint
