"""Several gloo processes against one: the same losses, the same context."""

import json
import socket
from pathlib import Path

import pytest
import torch
from tool_process import start_tool

HERE = Path(__file__).parent
BATCH = 12


def run(processes: int, names: int, *options: str, out: Path) -> dict:
    """Train `learn.py` for three steps of 12 images, whoever does what."""
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        port = free.getsockname()[1]
    printed = [out.with_suffix(f'.{rank}.txt') for rank in range(processes)]
    ranks = [
        start_tool(
            HERE / 'learn.py',
            out,
            names,
            BATCH,
            *options,
            cwd=out.parent,
            env=dict(
                RANK=str(rank),
                WORLD_SIZE=str(processes),
                MASTER_ADDR='127.0.0.1',
                MASTER_PORT=str(port),
            ),
            output=printed[rank],
        )
        for rank in range(processes)
    ]
    for process, output in zip(ranks, printed, strict=True):
        process.join(240)
        assert process.exitcode == 0, output.read_text()[-3000:]
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
