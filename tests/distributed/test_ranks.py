"""One run on 1, 2 and 3 processes, and jobs that lose one of them."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import killed_run
import pytest
import tiny_run
import torch
from mmengine.runner import CheckpointLoader
from tool_process import start_tool

TOOLS = Path(__file__).resolve().parents[2] / 'tools'
GLOBAL_BATCH = 12
# One less than four batches: what comes twice so that 2 or 3 ranks get equally
# many must not make another step
IMAGES = 47
# 17 images to evaluate: 1 to 3 ranks, in batches of 4, all end unevenly


def free_port() -> str:
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        return str(free.getsockname()[1])


def start(
    folder: Path,
    ranks: int,
    name: str,
    *options: str,
    resume: bool = False,
    ends: Mapping[int, str] | None = None,
) -> list:
    """Start the processes of a run, as torchrun does.

    `ends` says what ends a rank, and when: see `killed_run.EndHook`.
    """
    port = free_port()
    processes = []
    for rank in range(ranks):
        env = dict(
            RANK=str(rank),
            LOCAL_RANK=str(rank),
            WORLD_SIZE=str(ranks),
            MASTER_ADDR='127.0.0.1',
            MASTER_PORT=port,
        )
        if ends and rank in ends:
            env[killed_run.MOMENT] = ends[rank]
        processes.append(
            start_tool(
                'train.py',
                'config.py',
                '--work-dir',
                name,
                '--launcher',
                'pytorch',
                *(['--resume'] if resume else []),
                '--cfg-options',
                f'train_dataloader.batch_size={GLOBAL_BATCH // ranks}',
                *options,
                cwd=folder,
                env=env,
                output=folder / f'{name}_{rank}.txt',
            )
        )
    return processes


def kill(processes: list) -> None:
    for process in processes:
        process.kill()
        process.join()


def end(folder: Path, name: str, processes: list) -> tuple[torch.Tensor, dict]:
    """Wait; what was learned, and how many of the images it knows."""
    for rank, process in enumerate(processes):
        process.join(300)
        printed = (folder / f'{name}_{rank}.txt').read_text()
        assert process.exitcode == 0, printed[-3000:]
    path = (folder / name / 'last_checkpoint').read_text()
    checkpoint = CheckpointLoader.load_checkpoint(path, 'cpu')
    scalars = next((folder / name).glob('*/vis_data/scalars.json'))
    accuracies = [
        json.loads(line)['accuracy/top1']
        for line in scalars.read_text().splitlines()
        if 'accuracy/top1' in line
    ]
    steps = checkpoint['meta']['iter']
    ctx = checkpoint['state_dict']['head.prompt_learner.ctx']
    return ctx, dict(steps=steps, accuracies=accuracies)


@pytest.fixture(scope='module')
def folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp('ranks')
    tiny_run.write_config(
        folder,
        f'train_dataloader["dataset"]["num_images"] = {IMAGES}\n'
        'env_cfg = dict(dist_cfg=dict(backend="gloo"))\n',
    )
    return folder


@pytest.mark.distributed
def test_same_context_on_1_2_and_3_ranks(folder):
    jobs = {
        'one': (1, []),
        'two': (2, []),
        'three': (3, []),
        'two_shared': (2, ['model.head.text_parallel=True']),
        'three_shared': (3, ['model.head.text_parallel=True']),
    }
    results = {}
    for name, (ranks, options) in jobs.items():
        processes = start(folder, ranks, name, *options)
        results[name] = end(folder, name, processes)
    ctx, facts = results.pop('one')
    assert facts['steps'] == 2 * (IMAGES // GLOBAL_BATCH)
    # It moved, by far more than the ranks may differ.
    assert ctx.abs().max() > 0.1
    for name, (other, other_facts) in results.items():
        difference = (other - ctx).abs().max().item()
        print(f'{name}: {difference:.1e}, {other_facts}')
        assert difference < 1e-5, name
        assert other_facts == facts, name


def wait_for(condition, seconds: float = 200) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, 'it did not happen'
        time.sleep(0.1)


@pytest.mark.distributed
def test_rank_that_is_killed_ends_the_others(folder):
    """Without torchrun, as under schedulers that wait for all."""
    processes = start(folder, 2, 'killed', 'train_cfg.max_epochs=10000')
    try:
        wait_for((folder / 'killed/last_checkpoint').is_file)
        processes[1].kill()
        killed = time.monotonic()
        processes[0].join(60)
        print(f'{time.monotonic() - killed:.1f} s')
        assert processes[0].exitcode == 1
    finally:
        kill(processes)
    printed = (folder / 'killed_0.txt').read_text()
    assert (
        '[rank0]: train.py: error: another process of this job has ended'
        in printed
    )
    assert 'Traceback' not in printed


# To evaluate: 4 batches of rank 0, 3 of rank 1
UNEVEN = 'val_dataloader.dataset.num_images=25'


@pytest.fixture(scope='module')
def killed(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp('killed')
    killed_run.write_config(folder)
    return folder


@pytest.fixture(scope='module')
def uninterrupted(killed) -> dict:
    end(killed, 'whole', start(killed, 2, 'whole', UNEVEN))
    return killed_run.last_state(killed / 'whole')


@pytest.mark.distributed
@pytest.mark.parametrize(
    ('moment', 'steps'),
    [
        ('SIGTERM:step:6', 6),
        ('SIGINT:evaluation:2', 8),
    ],
)
def test_signal_to_one_rank_stops_all_after_the_same_step(
    killed, uninterrupted, moment, steps
):
    signal_name, name, _ = moment.split(':')
    code = 128 + getattr(signal, signal_name)
    processes = start(killed, 2, name, UNEVEN, ends={1: moment})
    try:
        for process in processes:
            process.join(100)
        assert [process.exitcode for process in processes] == [code, code]
    finally:
        kill(processes)
    printed = (killed / f'{name}_0.txt').read_text()
    # Of the first epoch: the second evaluation did not begin, or not end.
    assert printed.count('accuracy/top1: ') == 1
    assert f'Stopped by {signal_name} after {steps} iterations' in printed
    goes_on = start(killed, 2, name, UNEVEN, resume=True)
    end(killed, name, goes_on)
    assert killed_run.last_state(killed / name) == uninterrupted


def torchrun(folder: Path, command: list[str], *options: str):
    """Start a job of two ranks that would take hours."""
    return subprocess.Popen(
        [
            *command,
            '--cfg-options',
            'train_cfg.max_epochs=100000',
            *options,
        ],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=dict(
            os.environ,
            PORT=free_port(),
            PYTHON=sys.executable,
            PYTHONPATH=str(Path(__file__).parents[1]),
            PYTHONWARNINGS='ignore',
        ),
    )


def children(pid: int) -> list[int]:
    listed = Path(f'/proc/{pid}/task/{pid}/children').read_text()
    return [int(child) for child in listed.split()]


def rank_of(pid: int) -> str | None:
    variables = Path(f'/proc/{pid}/environ').read_text().split('\0')
    return dict(v.split('=', 1) for v in variables if '=' in v).get('RANK')


@pytest.mark.slow
@pytest.mark.distributed
@pytest.mark.skipif(not Path('/proc/self/task').is_dir(), reason='asks Linux')
def test_killed_rank_ends_the_job_of_dist_train(folder):
    job = torchrun(
        folder,
        ['bash', str(TOOLS / 'dist_train.sh'), 'config.py', '2',
         '--work-dir', 'script'],
    )  # fmt: skip
    try:
        wait_for((folder / 'script/last_checkpoint').is_file)
        ranks = {rank_of(pid): pid for pid in children(job.pid)}
        os.kill(ranks['1'], signal.SIGKILL)
        killed = time.monotonic()
        output, _ = job.communicate(timeout=60)
        print(f'{time.monotonic() - killed:.1f} s')
    finally:
        job.kill()
    assert job.returncode == 1
    cause = output[output.index('Root Cause') :]
    assert re.search(r'rank\s*: 1 ', cause)
    assert 'Signal 9 (SIGKILL)' in cause
    # Nothing of rank 0's that would be taken for the cause
    before = output[: output.index('Root Cause')]
    assert 'gloo' not in before[before.index('Checkpoints will be saved') :]


@pytest.mark.slow
@pytest.mark.distributed
def test_error_of_a_rank_comes_first_and_last(folder):
    job = torchrun(
        folder,
        [sys.executable, '-m', 'torch.distributed.run', '--nproc_per_node=2',
         '--master_port', free_port(), str(TOOLS / 'train.py'), 'config.py',
         '--work-dir', 'spoiled', '--launcher', 'pytorch'],
        'train_dataloader.dataset.spoiled=7',
    )  # fmt: skip
    try:
        output, _ = job.communicate(timeout=300)
    finally:
        job.kill()
    assert job.returncode == 1
    # An epoch is one step: at its end, the other rank has the same context,
    # and cannot tell why.
    _, during = output.split('Checkpoints will be saved', 1)
    lines = [line for line in during.splitlines() if 'rror' in line]
    message = r'\[rank\d\]: train.py: error: the loss is nan .* 7\.png'
    assert re.match(message, lines[0]), lines[0]
    cause = output[output.index('Root Cause') :]
    assert 'NotFiniteError: the loss is nan' in cause.replace('\\', '')
