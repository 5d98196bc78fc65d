"""Files that are there in full or not at all."""

import os
from pathlib import Path

from mmengine.fileio import LocalBackend, register_backend

# Of a file that is being written, put behind its name
UNFINISHED = '.unfinished'


class UnwrittenError(OSError):
    """A file could not be written.

    Args:
        reason (OSError): What the system says.
        path (Path): Of the file.
        num_bytes (int): Its size.
    """

    def __init__(self, reason: OSError, path: Path, num_bytes: int) -> None:
        super().__init__(reason.errno, reason.strerror, str(path))
        self.num_bytes = num_bytes


def write_atomically(path: str | Path, content: bytes) -> None:
    """Write a file so that neither a kill nor a power cut leaves a part.

    Until it is on the disk in full, it has another name; a file that was
    there before stays until then.

    Args:
        path (str | Path): Of the file. Its folder is not made: if a run
            lost the one that it began in, it must not go on in another.
        content (bytes): Of the file.

    Raises:
        UnwrittenError: If it cannot be written.
    """
    path = Path(path)
    unfinished = path.with_name(path.name + UNFINISHED)
    try:
        with open(unfinished, 'wb') as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(unfinished, path)
        _sync_folder(path.parent)
    except OSError as error:
        remove_unfinished(path.parent)
        raise UnwrittenError(error, path, len(content)) from error


def remove_unfinished(folder: str | Path) -> None:
    """Remove what a process left that was killed while it wrote.

    Args:
        folder (str | Path): Where nobody else is writing.
    """
    for file in Path(folder).glob('*' + UNFINISHED):
        file.unlink(missing_ok=True)


@register_backend('mmcoop.atomic')
class AtomicBackend(LocalBackend):
    """mmengine's way to local files; those that it puts are atomic."""

    def put(self, obj: bytes, filepath: str | Path) -> None:
        """Write a file, see `write_atomically`."""
        write_atomically(filepath, obj)


def _sync_folder(folder: Path) -> None:
    """Have the new name on the disk, too."""
    # Elsewhere a folder cannot be opened
    if os.name == 'posix':
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
