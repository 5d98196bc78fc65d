"""Where a run cannot write: say which file, how much, and what to do."""

import errno
import logging
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .atomic_file import UnwrittenError
from .run_config import CommandError
from .run_end import RunError, what_is_kept

# What a run writes at its start: logs, its config, and a first checkpoint
# with room to spare
START_BYTES = 1 << 20

# Reading never fails with these
WRITING = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG}


class WriteError(RunError):
    """A file of the run could not be written; names it, and its size."""


def check_work_dir(work_dir: str) -> None:
    """Make the folder of a run and write to it, before time is spent.

    Args:
        work_dir (str): Its path.

    Raises:
        CommandError: If it cannot be made, or not hold what a run starts
            with.
    """
    try:
        Path(work_dir).mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=work_dir) as file:
            file.write(bytes(START_BYTES))
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise CommandError(
            f'the work directory {work_dir} cannot be used: '
            f'{error.strerror}; {_space(work_dir, START_BYTES)} '
            'Give another with --work-dir FOLDER, or make this one writable.'
        ) from error


@contextmanager
def explained(work_dir: str) -> Iterator[None]:
    """Turn errors of writing to a work directory into a message.

    Meanwhile the log's file may fail without a word: a full disk would add
    a traceback to each line. The scalars beside it tell the next time they
    are written.

    Args:
        work_dir (str): Of the run.

    Raises:
        WriteError: Instead of an `OSError` of writing. Others pass.
    """
    raise_exceptions = logging.raiseExceptions
    logging.raiseExceptions = False
    try:
        yield
    except OSError as error:
        if not _is_of_writing(error, work_dir):
            raise
        # Where a log fails, a checkpoint would be next to
        num_bytes = (
            error.num_bytes
            if isinstance(error, UnwrittenError)
            else _next_bytes(work_dir)
        )
        path = error.filename or f'a log file in {work_dir}'
        raise _explain(error, path, work_dir, num_bytes) from error
    finally:
        logging.raiseExceptions = raise_exceptions


def _explain(
    error: OSError, path: str | Path, work_dir: str, num_bytes: int
) -> WriteError:
    if not Path(work_dir).is_dir():
        what_to_do = (
            f'The work directory {work_dir} was moved or removed during the '
            'run: put it back, or start anew.'
        )
    elif error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        what_to_do = 'Make room there, or use --work-dir on another disk.'
    else:
        what_to_do = f'Make {work_dir} writable, or use another --work-dir.'
    return WriteError(
        f'{path} cannot be written: {error.strerror}; '
        f'{_space(path, num_bytes)} {what_to_do} {what_is_kept(work_dir)}'
    )


def _space(path: str | Path, num_bytes: int) -> str:
    """Say what is needed and what is free, where a file is to be."""
    place = Path(path).absolute()
    while not place.is_dir():
        place = place.parent
    free = shutil.disk_usage(place).free
    return f'{num_bytes:,} bytes are needed, {free:,} are free in {place}.'


def _next_bytes(work_dir: str) -> int:
    """Guess what is written next: a checkpoint as large as the largest."""
    sizes = [file.stat().st_size for file in Path(work_dir).glob('*.pth')]
    return max(sizes, default=START_BYTES)


def _is_of_writing(error: OSError, work_dir: str) -> bool:
    """Tell the run's own files from the data's."""
    if error.errno in WRITING:
        return True
    if not isinstance(error.filename, str):
        return False
    return (
        Path(error.filename)
        .absolute()
        .is_relative_to(Path(work_dir).absolute())
    )
