"""A run that is ended and goes on ends with the bits of one that was not."""

import random
import re
import signal
import time
from pathlib import Path

import killed_run
import pytest
from tool_process import run_tool, start_tool

CONFIGS = Path(__file__).resolve().parents[2] / 'configs'
NUM_KILLS = 30


@pytest.fixture(scope='module')
def config(tmp_path_factory) -> Path:
    return killed_run.write_config(tmp_path_factory.mktemp('killed'))


@pytest.fixture(scope='module')
def uninterrupted(config) -> dict:
    """What the run ends with."""
    done = train(config, 'whole')
    assert done.returncode == 0, done.stdout
    return killed_run.last_state(config.parent / 'whole')


def train(config: Path, work_dir: str, *options: str, end: str | None = None):
    return run_tool(
        'train.py', config, '--work-dir', work_dir, *options,
        cwd=config.parent, env={killed_run.MOMENT: end} if end else None,
    )  # fmt: skip


def checkpoints(folder: Path) -> list[str]:
    """Name them, and what is left of any that was not finished."""
    found = [*folder.glob('*.pth'), *folder.glob('*.unfinished')]
    return sorted(path.name for path in found)


@pytest.mark.parametrize(
    'moment',
    [
        'step:6',
        # The last, after which there is no more training
        'evaluation:4',
        # Of the second epoch's checkpoint, of the note that names it, and
        # of the same checkpoint with the evaluation
        'fsync:11',
        'fsync:13',
        'fsync:15',
    ],
)
def test_killed_at_a_chosen_moment(config, uninterrupted, moment):
    work_dir = moment.replace(':', '-')
    killed = train(config, work_dir, end=f'SIGKILL:{moment}')
    assert killed.returncode == -signal.SIGKILL, killed.stdout

    resumed = train(config, work_dir, '--resume')

    assert resumed.returncode == 0, resumed.stdout
    folder = config.parent / work_dir
    assert killed_run.last_state(folder) == uninterrupted
    assert checkpoints(folder) == checkpoints(config.parent / 'whole')


@pytest.mark.parametrize(
    ('end', 'num_workers', 'status', 'left_at'),
    [
        ('SIGTERM:step:6', 0, 143, 6),
        ('SIGINT:evaluation:2', 0, 130, 8),
        # To all processes, as a terminal sends it
        ('SIGINT-group:step:6', 1, 130, 6),
        # Its workers are gone: the last checkpoint must do.
        ('SIGTERM-group:step:6', 1, 143, 4),
    ],
)
def test_stopped_by_a_signal(
    config, uninterrupted, end, num_workers, status, left_at
):
    work_dir = end.replace(':', '-')
    workers = f'train_dataloader.num_workers={num_workers}'
    stopped = train(config, work_dir, '--cfg-options', workers, end=end)
    assert stopped.returncode == status, stopped.stdout
    command = f'train.py {config} --work-dir {work_dir} --cfg-options'
    assert f'{command} {workers} --resume' in stopped.stdout
    assert 'Traceback' not in stopped.stdout

    resumed = train(config, work_dir, '--resume')

    assert resumed.returncode == 0, resumed.stdout
    assert f'iter: {left_at}\n' in resumed.stdout
    folder = config.parent / work_dir
    assert killed_run.last_state(folder) == uninterrupted
    assert checkpoints(folder) == checkpoints(config.parent / 'whole')


@pytest.mark.long
def test_killed_at_random_moments(tmp_path, capsys):
    """The real configs, images and workers; killed until there are 30."""
    config = tmp_path / 'config.py'
    config.write_text(
        f'_base_ = {str(CONFIGS / "coop/tinyclip_4shot_emoji.py")!r}\n'
        'train_cfg = dict(max_epochs=5, val_interval=1)\n'
        "default_hooks = dict(checkpoint=dict(save_best='accuracy/top1'),\n"
        '                     logger=dict(interval=1))\n'
        'train_dataloader = dict(batch_size=16)\n'
        'val_dataloader = dict(dataset=dict(indices=list(range(0, 1507, 5))))'
        '\ntest_dataloader = val_dataloader\n'
    )
    whole = _start(config, tmp_path / 'whole', tmp_path / 'output')
    begin = time.monotonic()
    whole.join()
    seconds = time.monotonic() - begin
    assert whole.exitcode == 0, (tmp_path / 'output').read_text()
    expected = killed_run.last_state(tmp_path / 'whole')

    rng = random.Random(0)
    kills, runs, inside = 0, 0, set()
    while kills < NUM_KILLS:
        runs += 1
        work_dir = tmp_path / f'run{runs}'
        while True:
            output = tmp_path / f'output{kills}'
            process = _start(config, work_dir, output)
            process.join(rng.uniform(0, seconds / 2))
            if process.exitcode is None:
                process.kill()
                process.join()
            if process.exitcode == 0:
                break
            assert process.exitcode == -signal.SIGKILL, output.read_text()
            kills += 1
            inside.update(
                re.findall(r'Epoch\((\w+)\)', output.read_text())[-1:]
            )
        assert killed_run.last_state(work_dir) == expected
        assert checkpoints(work_dir) == checkpoints(tmp_path / 'whole')
    with capsys.disabled():
        print(f'\n{kills} kills in {runs} runs; last lines {sorted(inside)}')
    assert inside == {'train', 'val'}


def _start(config: Path, work_dir: Path, output: Path):
    """Start a run, and wait until it has read where to go on."""
    process = start_tool(
        'train.py', config, '--work-dir', work_dir, '--resume',
        cwd=config.parent, output=output,
    )  # fmt: skip
    while process.is_alive() and not (
        output.is_file() and 'Checkpoints will be saved' in output.read_text()
    ):
        time.sleep(0.01)
    return process
