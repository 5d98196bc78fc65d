"""Runs whose disk fills up, is read-only, or loses their folder."""

import errno
import os
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest
import tiny_run
from mmengine.config import Config
from mmengine.runner import CheckpointLoader, Runner
from tool_process import run_tool, start_tool

from mmcoop.engine import CommandError, disk_errors
from mmcoop.engine.disk_errors import WriteError

MEGABYTE = 1 << 20


@pytest.fixture(scope='module')
def folder(tmp_path_factory) -> Path:
    """Where the config is; 10,000 epochs, unless a test ends them."""
    folder = tmp_path_factory.mktemp('disk')
    tiny_run.write_config(folder, 'train_cfg["max_epochs"] = 10000\n')
    return folder


@pytest.fixture
def small_disk(tmp_path) -> Iterator[Path]:
    """A file system of 3 MiB."""
    place = tmp_path / 'small'
    place.mkdir()
    mount = ['mount', '-t', 'tmpfs', '-o', 'size=3m', 'mmcoop', str(place)]
    if (
        shutil.which('mount') is None
        or subprocess.run(
            mount, check=False, stderr=subprocess.DEVNULL
        ).returncode
    ):
        pytest.skip('this user may not mount a small file system')
    yield place
    subprocess.run(['umount', '--lazy', str(place)], check=True)


def fill(place: Path) -> None:
    with (place / 'filler').open('wb') as file:
        while True:
            try:
                os.write(file.fileno(), bytes(4096))
            except OSError:
                return


def break_a_run(
    folder: Path, work_dir: Path, trouble: Callable[[], None]
) -> str:
    """Let trouble come once there is a checkpoint; what the run prints."""
    output = folder / f'{time.monotonic_ns()}.txt'
    process = start_tool(
        'train.py', 'config.py', '--work-dir', work_dir, cwd=folder,
        output=output,
    )  # fmt: skip
    try:
        end = time.monotonic() + 100
        while not (work_dir / 'last_checkpoint').is_file():
            assert time.monotonic() < end, output.read_text()[-3000:]
            assert process.exitcode is None, output.read_text()[-3000:]
            time.sleep(0.05)
        trouble()
        process.join(60)
        assert process.exitcode == 1
    finally:
        process.kill()
        process.join()
    printed = output.read_text()
    assert 'Traceback' not in printed
    assert 'Logging error' not in printed
    (message,) = re.findall(r'^train\.py: error: .*', printed, re.MULTILINE)
    return message


def test_disk_that_fills_up(folder, small_disk):
    work_dir = small_disk / 'work'
    message = break_a_run(folder, work_dir, lambda: fill(small_disk))
    print(message)
    assert f'{small_disk}' in message
    assert 'No space left on device' in message
    needed, free = re.search(r'([\d,]+) bytes are needed, ([\d,]+) are free',
                             message).groups()  # fmt: skip
    assert 10_000 < int(needed.replace(',', '')) < 100_000
    assert int(free.replace(',', '')) < MEGABYTE
    kept = re.search(r'is kept: (\S+)\. The same command', message)[1]
    assert kept == (work_dir / 'last_checkpoint').read_text()
    epoch = CheckpointLoader.load_checkpoint(kept, 'cpu')['meta']['epoch']
    assert not list(work_dir.glob('*.unfinished'))

    # As the message says: with room again, it goes on from there.
    (small_disk / 'filler').unlink()
    done = run_tool(
        'train.py', 'config.py', '--work-dir', work_dir, '--resume',
        '--cfg-options', f'train_cfg.max_epochs={epoch + 1}', cwd=folder,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:]
    assert f'resumed epoch: {epoch}' in done.stdout


def test_folder_that_is_moved_away(folder, tmp_path):
    work_dir, moved = tmp_path / 'work', tmp_path / 'moved'
    message = break_a_run(folder, work_dir, lambda: work_dir.rename(moved))
    assert f'The work directory {work_dir} was moved or removed' in message
    assert 'No such file or directory' in message
    assert not work_dir.exists(), 'the run went on in a folder of its own'
    checkpoints = list(moved.glob('*.pth'))
    assert checkpoints
    for path in checkpoints:
        CheckpointLoader.load_checkpoint(str(path), 'cpu')


@pytest.fixture
def runner(folder, tmp_path) -> Runner:
    """Two epochs, in this process."""
    cfg = Config.fromfile(folder / 'config.py')
    cfg.work_dir = str(tmp_path / 'work')
    # mmengine names runs by the second that they are made in.
    cfg.experiment_name = f'disk-{uuid4()}'
    cfg.train_cfg.max_epochs = 2
    return Runner.from_cfg(cfg)


@pytest.mark.parametrize(
    ('number', 'advice'),
    [
        (errno.ENOSPC, 'Make room there'),
        (errno.EDQUOT, 'Make room there'),
        (errno.EROFS, 'writable, or use another --work-dir'),
        (errno.EACCES, 'writable, or use another --work-dir'),
    ],
)
def test_second_checkpoint_cannot_be_written(
    runner, monkeypatch, number, advice
):
    work_dir = Path(runner.work_dir)
    replace, sizes = os.replace, []

    def refuse(source, target):
        if Path(target).name == 'epoch_2.pth':
            sizes.append(os.stat(source).st_size)
            raise OSError(number, os.strerror(number))
        replace(source, target)

    monkeypatch.setattr(os, 'replace', refuse)
    with (
        pytest.raises(WriteError) as caught,
        disk_errors.explained(runner.work_dir),
    ):
        runner.train()
    message = str(caught.value)
    assert message.startswith(
        f'{work_dir}/epoch_2.pth cannot be written: {os.strerror(number)}; '
        f'{sizes[0]:,} bytes are needed'
    )
    assert advice in message
    assert f'is kept: {work_dir}/epoch_1.pth' in message
    CheckpointLoader.load_checkpoint(f'{work_dir}/epoch_1.pth', 'cpu')


def test_errors_of_reading_are_left_alone(tmp_path):
    with (
        pytest.raises(FileNotFoundError, match='image'),
        disk_errors.explained(str(tmp_path / 'work')),
    ):
        (tmp_path / 'image.png').read_bytes()


def test_work_dir_that_is_a_file(folder, tmp_path):
    (tmp_path / 'file').touch()
    done = run_tool(
        'train.py', 'config.py', '--work-dir', tmp_path / 'file/work',
        cwd=folder,
    )  # fmt: skip
    assert done.returncode == 1
    assert 'file/work cannot be used: Not a directory; 1,048,576 bytes are ' \
        'needed' in done.stdout  # fmt: skip
    assert 'Traceback' not in done.stdout


def test_work_dir_without_room(small_disk):
    fill(small_disk)
    with pytest.raises(CommandError, match=r'cannot be used: No space left'):
        disk_errors.check_work_dir(str(small_disk / 'work'))


def test_work_dir_that_is_read_only(small_disk):
    remount = ['mount', '-o', 'remount,ro', str(small_disk)]
    subprocess.run(remount, check=True)
    with pytest.raises(CommandError, match=r'cannot be used: Read-only'):
        disk_errors.check_work_dir(str(small_disk / 'work'))


def test_work_dir_is_left_as_it_was(tmp_path):
    disk_errors.check_work_dir(str(tmp_path / 'a' / 'b'))
    assert list((tmp_path / 'a' / 'b').iterdir()) == []
