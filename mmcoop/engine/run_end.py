"""How a run ends that cannot go on: one message, and a failing status."""

import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mmengine.dist import get_dist_info
from torch.distributed import DistError
from torch.distributed.elastic.multiprocessing.errors import get_error_handler

from .run_config import CommandError

# Seconds that torchrun is given to end a process whose peer has gone
LINGER = 10


class RunError(RuntimeError):
    """A run cannot go on; the message says why, and what to do.

    Args:
        message (str): For the user.
        shared (bool): Whether all processes meet it, one of which may know
            more: that one's own error comes first. Defaults to False.
    """

    def __init__(self, message: str, *, shared: bool = False) -> None:
        super().__init__(message)
        self.shared = shared


@contextmanager
def explained(command: str) -> Iterator[None]:
    """End the process with a message where the user needs no traceback.

    Of several processes the one that fails first speaks first, and torchrun
    repeats its error as the root cause. Those that fail because it has gone
    wait for torchrun to end them, and say no more than that.

    Args:
        command (str): The tool, to begin the message with.

    Raises:
        SystemExit: Instead of a `CommandError`, a `RunError`, or the error
            of torch that a peer has gone. Others pass.
    """
    try:
        yield
    except (CommandError, RunError) as error:
        if getattr(error, 'shared', False):
            _give_way()
        get_error_handler().record_exception(error)
        sys.exit(f'{_rank()}{command}: error: {error}')
    except Exception as error:
        if not peer_has_gone(error):
            get_error_handler().record_exception(error)
            raise
        _give_way()
        sys.exit(
            f'{_rank()}{command}: error: another process of this job has '
            'ended: see its error. This one ends because of it.'
        )


def what_is_kept(work_dir: str | Path) -> str:
    """Say which checkpoint a run can go on from.

    Args:
        work_dir (str | Path): Of the run.

    Returns:
        str: A sentence or two.
    """
    note = Path(work_dir, 'last_checkpoint')
    last = Path(note.read_text().strip()) if note.is_file() else None
    if last is None or not last.is_file():
        return f'There is no checkpoint in {work_dir} to go on from.'
    return (
        f'The last good checkpoint is kept: {last}. The same command with '
        '--resume goes on from it.'
    )


def _give_way() -> None:
    """Let the process speak that knows the cause, if there are more."""
    if get_dist_info()[1] > 1:
        # torchrun's signal ends this one, whatever the run made of signals
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        time.sleep(LINGER)


def _rank() -> str:
    """Name the process, as torch's own tracebacks do, where there are more."""
    rank, world_size = get_dist_info()
    return f'[rank{rank}]: ' if world_size > 1 else ''


def peer_has_gone(error: Exception) -> bool:
    """Tell what follows from another process's end from errors of its own.

    Args:
        error (Exception): That this process met.

    Returns:
        bool: Whether another process has ended, which is the cause.
    """
    # gloo has no class of errors of its own: its messages name its files
    return isinstance(error, DistError) or (
        isinstance(error, RuntimeError)
        and 'gloo/transport/tcp/pair.cc' in str(error)
    )
