"""Read mmengine's checkpoints without running code from them.

A checkpoint is a pickle, which may call any function as it is read. torch's
``weights_only=True`` permits tensors and plain values alone, and mmengine
also stores its log's history. Of the two ways around that, the one taken by
many (``weights_only=False``) gives the safety up. This file takes the other:
it permits the few classes that the history is made of, for as long as the
file is being read.

mmengine looks up its loaders by the scheme of the path: here are those for
local files and URLs. They replace mmengine's own for the whole process.
"""

import os
import pickle
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from mmengine.config import ConfigDict
from mmengine.dist import barrier, is_main_process
from mmengine.logging import HistoryBuffer
from mmengine.runner import CheckpointLoader

# As in `torch.load`
MapLocation = Callable | torch.device | str | dict | None

STATISTICS = ('current', 'max', 'mean', 'min')


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
        RuntimeError: If it is damaged, or no checkpoint.
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
    # One process downloads, the others find the file in the cache.
    if not is_main_process():
        barrier()
    try:
        with _only_harmless(url):
            checkpoint = torch.hub.load_state_dict_from_url(
                url, map_location=map_location, weights_only=True
            )
    finally:
        if is_main_process():
            barrier()
    return _without_code(checkpoint)


@contextmanager
def _only_harmless(filename: str) -> Iterator[None]:
    """Permit what mmengine stores, and explain what is refused."""
    try:
        with torch.serialization.safe_globals(_harmless()):
            yield
    except (pickle.UnpicklingError, EOFError, RuntimeError) as error:
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
            f'torch says: {first_line or type(error).__name__}'
        ) from error


def _harmless() -> list[Any]:
    """List what a checkpoint may name: makers of plain numbers and lists.

    Returns:
        list: For `torch.serialization.safe_globals`.
    """
    # Asked of numpy itself, since their module's name depends on its version
    make_array = np.empty(0).__reduce__()[0]
    make_scalar = np.float64(0).__reduce__()[0]
    core = 'numpy.core.multiarray', 'numpy._core.multiarray'
    return [
        HistoryBuffer,
        ConfigDict,
        (_statistic, 'builtins.getattr'),
        bytes,  # of empty arrays
        np.ndarray,
        np.dtype,
        *{type(np.dtype(code)) for code in np.typecodes['All']},
        *((make_array, f'{module}._reconstruct') for module in core),
        *((make_scalar, f'{module}.scalar') for module in core),
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
