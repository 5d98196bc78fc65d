"""Several gloo processes against one: the same losses, the same context."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
BATCH = 12


def run(processes: int, names: int, *options: str, out: Path) -> dict:
    """Train `learn.py` for three steps of 12 images, whoever does what."""
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        port = free.getsockname()[1]
    command = [sys.executable, str(HERE / 'learn.py'), str(out)]
    command += [str(names), str(BATCH), *options]
    ranks = [
        subprocess.Popen(
            command,
            env=dict(
                os.environ,
                RANK=str(rank),
                WORLD_SIZE=str(processes),
                MASTER_ADDR='127.0.0.1',
                MASTER_PORT=str(port),
                PYTHONPATH=str(ROOT),
                PYTHONWARNINGS='ignore',
            ),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for rank in range(processes)
    ]
    for rank in ranks:
        output, _ = rank.communicate(timeout=240)
        assert rank.returncode == 0, output[-3000:]
    return json.loads(out.read_text())


@pytest.mark.distributed
@pytest.mark.parametrize(
    ('processes', 'names', 'options'),
    [
        (2, 7, ['--parallel']),  # uneven shares
        (3, 7, ['--parallel']),
        (3, 2, ['--parallel']),  # fewer classes than ranks
        (2, 7, ['--parallel', '--chunk', '2']),
        (2, 7, ['--parallel', '--class-specific']),
        (2, 7, []),
    ],
)
def test_as_one_process(processes, names, options, tmp_path):
    alone = [o for o in options if o == '--class-specific']
    one = run(1, names, *alone, out=tmp_path / 'one.json')
    several = run(processes, names, *options, out=tmp_path / 'several.json')
    assert several['losses'] == pytest.approx(one['losses'], rel=1e-5)
    torch.testing.assert_close(
        torch.tensor(several['ctx']),
        torch.tensor(one['ctx']),
        rtol=1e-5,
        atol=1e-5,
    )
    if '--parallel' in options:
        share = -(-names // processes)
        assert max(several['encoded'], default=0) <= share
