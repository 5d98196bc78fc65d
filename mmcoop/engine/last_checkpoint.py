"""The checkpoint that a run goes on from."""

import logging
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path

from mmengine.logging import print_log

from .atomic_file import write_atomically
from .run_config import CommandError
from .safe_checkpoint import load_from_local

# mmengine's file that names a run's last checkpoint
NOTE = 'last_checkpoint'

# Where a run is saved that a signal stops
STOPPED = 'stopped.pth'

# What mmengine needs to go on
NEEDED = ('meta', 'state_dict', 'message_hub')


def note_last_checkpoint(work_dir: str | Path, checkpoint: str) -> None:
    """Say which checkpoint is the last.

    Args:
        work_dir (str | Path): Of the run.
        checkpoint (str): Its path; empty: a run has begun and has none yet,
            whatever an earlier one left.
    """
    write_atomically(Path(work_dir, NOTE), checkpoint.encode())


def correct_note(
    work_dir: str | Path, folder: str | Path, template: str
) -> str | None:
    """Let the note name a sound checkpoint, where it does not.

    mmengine goes on from the checkpoint that the note names, and from the
    start if there is no note. What is passed over goes to the log.

    Args:
        work_dir (str | Path): Of the run, where the note is.
        folder (str | Path): Of the checkpoints.
        template (str): Of their names, like ``'epoch_{}.pth'``.

    Returns:
        str | None: The checkpoint that the note now names, if any.
    """
    note = Path(work_dir, NOTE)
    named = note.read_text().strip() if note.is_file() else None
    if named == '':
        note.unlink()
        return None
    passed_over = []
    for path in _candidates(named, Path(folder), template):
        problem = what_is_wrong(path)
        if problem is None:
            if path != named:
                note_last_checkpoint(work_dir, path)
            _report(passed_over, f'Going on from {path}.')
            return path
        passed_over.append(problem)
    note.unlink(missing_ok=True)
    _report(passed_over, 'No other is left: starting from the beginning.')
    return None


def what_is_wrong(path: str | Path) -> str | None:
    """Read a checkpoint, to see whether a run can go on from it.

    Args:
        path (str | Path): Of the checkpoint.

    Returns:
        str | None: What is wrong with it, if anything, and its path.

    Raises:
        OSError: If it is there and the system will not let it be read.
    """
    try:
        checkpoint = load_from_local(str(path), map_location='cpu')
    except FileNotFoundError:
        return f'{path} does not exist.'
    except OSError:
        raise
    # What is no pickle fails as it likes.
    except Exception as error:
        text = str(error)
        return text if str(path) in text else f'{path}: {text}'
    missing = [
        key
        for key in NEEDED
        if not isinstance(checkpoint, dict) or key not in checkpoint
    ]
    if missing:
        return f'{path} lacks {", ".join(missing)}.'
    # torch itself does not look at the checksums of what it reads.
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()
        if damaged is not None:
            return f'{path} is damaged: {damaged} in it has changed.'
    return None


def check_named(path: str) -> None:
    """Refuse a checkpoint that a user names and no run can go on from.

    Args:
        path (str): Of the checkpoint; remote ones are read later.

    Raises:
        CommandError: If it is missing, damaged, refused or of another kind.
    """
    problem = None if '://' in path else what_is_wrong(path)
    if problem is not None:
        raise CommandError(
            f'no run can go on from --resume {path}: {problem} Name another '
            'one, or none: --resume alone takes the last sound checkpoint of '
            'the work directory.'
        )


def _candidates(
    named: str | None, folder: Path, template: str
) -> Iterator[str]:
    """Give the checkpoint that the note names, and those before it."""
    if named is not None:
        yield named
    stopped = folder / STOPPED
    if stopped.is_file() and (named is None or Path(named) != stopped):
        yield str(stopped)
    before, after = map(re.escape, template.split('{}'))
    pattern = re.compile(f'{before}([0-9]+){after}')
    numbers = {}
    for file in folder.glob('*'):
        match = pattern.fullmatch(file.name)
        if match:
            numbers[int(match[1])] = file
    # An earlier run in this folder may have left later ones.
    match = pattern.fullmatch(Path(named or '').name)
    last = int(match[1]) if match else max(numbers, default=0)
    for number in sorted(numbers, reverse=True):
        if number <= last and str(numbers[number]) != named:
            yield str(numbers[number])


def _report(passed_over: list[str], outcome: str) -> None:
    if passed_over:
        print_log(
            'Checkpoints that no run can go on from:\n  '
            + '\n  '.join(passed_over)
            + f'\n{outcome}',
            logger='current',
            level=logging.WARNING,
        )
