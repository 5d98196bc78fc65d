"""Every command and code block of the README, as written.

A block runs as it stands, in a copy of the repository's layout, with options
added that shorten it (`code_blocks.shorten`). Commands that need what no test
can have (weights, a cluster) must fail with the error that says so. A command
that is in no table below fails the test: somebody has to say how it is kept
working.
"""

import re
import subprocess

import pytest
from code_blocks import (
    ROOT,
    Shell,
    layout_of_repository,
    name_last_epoch,
    open_shell,
    read_blocks,
    shorten,
)

README = ROOT / 'README.md'
BLOCKS = read_blocks(README)

CHECKPOINT = 'work_dirs/tinyclip_16shot_emoji/epoch_50.pth'
RUNS = (
    'python tools/train.py configs/coop/tinyclip_16shot_emoji.py',
    f'python tools/test.py configs/coop/tinyclip_16shot_emoji.py {CHECKPOINT}',
    'python tools/test.py configs/zero_shot/tinyclip_emoji.py',
    f'python tools/predict.py {CHECKPOINT} data/emoji/test/17_flower '
    '--out results.csv',
    f'python tools/export.py {CHECKPOINT} --to linear '
    '--out exported/emoji.pth',
    f'python tools/calibrate.py {CHECKPOINT} --temperature-scaling',
)
# Commands that other tests run: test_docs.py those of the export guide, and
# test_demo_app.py a page, which is there until it is stopped.
ELSEWHERE = (
    f'python tools/export.py {CHECKPOINT} --to onnx --out exported/emoji.onnx',
    f'python tools/demo_app.py {CHECKPOINT}',
)
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
        for block in BLOCKS
        if block.language == 'bash'
        for line in block.text.splitlines()
    ]
    return [line for line in lines if line]


@pytest.fixture(scope='module')
def shell(tmp_path_factory) -> Shell:
    folder = layout_of_repository(tmp_path_factory.mktemp('clone'))
    with open_shell(folder, shorten) as shell:
        yield shell


@pytest.fixture(scope='module')
def tour(shell) -> Shell:
    """The five-minute tour, done."""
    name_last_epoch(shell.folder / 'work_dirs/tinyclip_16shot_emoji')
    for command in RUNS:
        done = shell.run(command)
        assert done.returncode == 0, done.stdout[-2000:]
    return shell


def test_every_command_is_accounted_for():
    assert sorted(commands()) == sorted([*RUNS, *ELSEWHERE, *FAILS, *MAKE])


@pytest.mark.slow
def test_python_blocks(tour):
    blocks = [block for block in BLOCKS if block.language == 'python']
    assert len(blocks) == 3
    predicting, *configs = blocks
    done = tour.run_block(predicting)
    assert done.returncode == 0, done.stdout
    assert 'twemoji_1f369.png' in done.stdout
    assert done.stdout.rstrip().endswith("('doughnut', 'wheel')")
    for block in configs:
        compile(block.text, 'README.md', 'exec')


@pytest.mark.parametrize('command', FAILS)
def test_commands_that_need_more_say_so(shell, command):
    for split in ('train', 'val'):
        folder = shell.folder / 'data/imagenet' / split
        folder.mkdir(parents=True, exist_ok=True)
    command = command.replace(f'{IMAGENET} 8', f'{IMAGENET} 1')
    done = shell.run(command)
    assert done.returncode != 0
    assert FAILS.get(command, 'must be downloaded') in done.stdout


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
    done = tour.run('python tools/demo.py --max-epochs 1')
    assert done.returncode == 0, done.stdout
    for row in ('zero-shot', 'CoOp, 1 shot', 'CoOp, 4 shots'):
        assert row in done.stdout
    assert '24.4' in done.stdout  # the hand-written prompt, test split
    assert (tour.folder / 'work_dirs/demo/prompts.png').stat().st_size > 50_000


def test_links():
    for target in re.findall(
        r'\]\(([^)#]+)\)', README.read_text(encoding='utf-8')
    ):
        if not target.startswith('http'):
            assert (ROOT / target).exists(), target
