"""Every command and code block of the README, as written.

A block runs as it stands, in a copy of the repository's layout. Runs that
take long get fewer epochs appended; commands that need what no test can have
(weights, a cluster) must fail with the error that says so. A command that is
in no table below fails the test: somebody has to say how it is kept working.
"""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / 'README.md').read_text(encoding='utf-8')
BLOCKS = re.findall(r'^```(\w+)\n(.*?)^```', README, re.MULTILINE | re.DOTALL)

# Fewer epochs, but 50 checkpoints' names: the README's commands follow.
SHORT = '--cfg-options train_dataloader.dataset.num_shots=1'
# Command: what is appended.
RUNS = {
    'python tools/train.py configs/coop/tinyclip_16shot_emoji.py': SHORT,
    'python tools/test.py configs/coop/tinyclip_16shot_emoji.py '
    'work_dirs/tinyclip_16shot_emoji/epoch_50.pth': '',
    'python tools/test.py configs/zero_shot/tinyclip_emoji.py': '',
}
IMAGENET = 'configs/coop/vitb16_16shot_imagenet.py'
# Command: the error it must end in without ImageNet or a cluster.
FAILS = {
    f'python tools/train.py {IMAGENET}': 'must be downloaded, but',
    'DATA=photos python tools/train.py configs/coop/vitb16_16shot_own.py': (
        'must be downloaded, but'
    ),
    f'python tools/train.py {IMAGENET} --resume': 'must be downloaded, but',
    f'bash tools/dist_train.sh {IMAGENET} 8': 'must be downloaded, but',
    f'GPUS=8 bash tools/slurm_train.sh PARTITION JOB {IMAGENET} '
    'work_dirs/imagenet': 'srun',
}
# `make` sets up what runs this test; what the targets run is tested here.
MAKE = {
    'make demo': 'tools/demo.py',
    'make test': '-m pytest',
    'make benchmark': 'tools/sweep.py configs/sweeps/emoji.py',
}


def commands() -> list[str]:
    lines = [
        line.split('  #')[0].strip()
        for language, block in BLOCKS
        if language == 'bash'
        for line in block.splitlines()
    ]
    return [line for line in lines if line]


def run(command: str, cwd: Path) -> subprocess.CompletedProcess:
    # The interpreter of the tests, under the name that the README uses.
    python = cwd / 'bin' / 'python'
    if not python.exists():
        python.parent.mkdir()
        python.write_text(
            f'#!/bin/sh\nexec {shlex.quote(sys.executable)} "$@"'
        )
        python.chmod(0o755)
    path = f'{python.parent}:{os.environ["PATH"]}'
    return subprocess.run(
        ['bash', '-c', command],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
        env=dict(os.environ, PATH=path, PYTHONWARNINGS='ignore'),
    )


@pytest.fixture(scope='module')
def clone(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp('clone')
    for name in ('mmcoop', 'configs', 'tools'):
        (folder / name).symlink_to(ROOT / name)
    return folder


@pytest.fixture(scope='module')
def tour(clone) -> Path:
    """The five-minute tour, done."""
    for command, more in RUNS.items():
        done = run(f'{command} {more}', clone)
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr
    return clone


def test_every_command_is_accounted_for():
    assert sorted(commands()) == sorted([*RUNS, *FAILS, *MAKE])


@pytest.mark.slow
def test_python_blocks(tour):
    blocks = [block for language, block in BLOCKS if language == 'python']
    assert len(blocks) == 3
    inferencer, *configs = blocks
    script = tour / 'script.py'
    script.write_text(inferencer)
    done = run('python script.py', tour)
    assert done.returncode == 0, done.stderr
    names = (ROOT / 'mmcoop/assets/class_names/emoji.txt').read_text()
    # The inferencer's progress bar ends without a line break.
    assert done.stdout.rstrip().endswith(tuple(names.splitlines()))
    for block in configs:
        compile(block, 'README.md', 'exec')


@pytest.mark.parametrize('command', FAILS)
def test_commands_that_need_more_say_so(clone, command):
    for split in ('train', 'val'):
        (clone / 'data/imagenet' / split).mkdir(parents=True, exist_ok=True)
    command = command.replace(f'{IMAGENET} 8', f'{IMAGENET} 1')
    done = run(command, clone)
    assert done.returncode != 0
    assert FAILS.get(command, 'must be downloaded') in (
        done.stdout + done.stderr
    )


def test_make_targets():
    for command, runs in MAKE.items():
        done = subprocess.run(
            ['make', '--dry-run', command.split()[1]],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        )
        assert runs in done.stdout


@pytest.mark.slow
def test_demo(tour):
    done = run('python tools/demo.py --max-epochs 1', tour)
    assert done.returncode == 0, done.stderr
    for row in ('zero-shot', 'CoOp, 1 shot', 'CoOp, 4 shots'):
        assert row in done.stdout
    assert '24.4' in done.stdout  # the hand-written prompt, test split
    assert (tour / 'work_dirs/demo/prompts.png').stat().st_size > 50_000


def test_links():
    for target in re.findall(r'\]\(([^)#]+)\)', README):
        if not target.startswith('http'):
            assert (ROOT / target).exists(), target
