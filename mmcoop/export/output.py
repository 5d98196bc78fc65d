"""Files that appear when they are whole, or not at all."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from mmcoop.engine import CommandError


def check_targets(
    targets: list[Path], sources: list[Path], overwrite: bool
) -> None:
    """Refuse files that cannot or should not be written.

    Args:
        targets (list[Path]): Files to write.
        sources (list[Path]): Files that are read.
        overwrite (bool): Whether targets may be there already.

    Raises:
        CommandError: If one is a source, or there already.
    """
    read = {path.resolve() for path in sources}
    for path in targets:
        if path.resolve() in read:
            raise CommandError(
                f'{path} is what is exported, and would be overwritten: '
                'give --out another name.'
            )
        if path.exists() and not overwrite:
            raise CommandError(
                f'{path} exists already: give --out another name, or add '
                '--overwrite.'
            )


@contextmanager
def written_whole(targets: list[Path]) -> Iterator[list[Path]]:
    """Give names to write to, and move the files when all is well.

    Args:
        targets (list[Path]): Files of one folder, which is made if need be.

    Yields:
        list[Path]: Files of the same names in a folder beside them, which
        is gone in the end, also after an error.

    Raises:
        CommandError: If they cannot be written there.
    """
    folder = targets[0].parent
    try:
        made = _make(folder)
    except OSError as error:
        raise CommandError(_cannot(folder, error)) from error
    done = False
    try:
        temporary = Path(tempfile.mkdtemp(prefix='.export-', dir=folder))
        try:
            yield [temporary / path.name for path in targets]
            for path in targets:
                os.replace(temporary / path.name, path)
            done = True
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
    except OSError as error:
        raise CommandError(_cannot(targets[0], error)) from error
    finally:
        if not done:
            for path in made:
                path.rmdir()


def require(what: str, *packages: str) -> None:
    """Look for optional packages before the work begins.

    Args:
        what (str): That needs them, for the error.
        *packages (str): Names of modules, which pip has under the same.

    Raises:
        CommandError: If one is not installed.
    """
    missing = [name for name in packages if find_spec(name) is None]
    if missing:
        raise CommandError(
            f'{what} needs {", ".join(missing)}, not installed here: run '
            f'`pip install {" ".join(missing)}`.'
        )


def _make(folder: Path) -> list[Path]:
    """Make a folder; list those that were not there, the deepest first."""
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    return missing


def _cannot(path: Path, error: OSError) -> str:
    return (
        f'{path} cannot be written ({error.strerror or error}): give --out '
        'a place that can.'
    )
