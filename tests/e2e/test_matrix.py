"""tools/dev/matrix.sh, with this environment in place of one it would make."""

import os
import subprocess
import sys
from pathlib import Path

import mmengine
import torch

ROOT = Path(__file__).resolve().parents[2]


def run(folder: Path, *rows: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        ['bash', 'tools/dev/matrix.sh', *rows],
        cwd=ROOT,
        env=dict(
            os.environ,
            MATRIX=str(folder),
            TESTS='tests/unit/test_model_card.py',
            PATH=f'{folder}:{os.environ["PATH"]}',
        ),
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_row_says_what_was_run(tmp_path):
    version = f'{sys.version_info.major}.{sys.version_info.minor}'
    row = f'py{version.replace(".", "")}'
    # An interpreter to find, and an environment that is installed
    for python in (
        tmp_path / f'python{version}',
        tmp_path / row / 'bin/python',
    ):
        python.parent.mkdir(parents=True, exist_ok=True)
        python.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"')
        python.chmod(0o755)
    (tmp_path / row / '.installed').touch()
    done = run(tmp_path, row)
    assert done.returncode == 0, done.stdout + done.stderr
    header, _, line = done.stdout.splitlines()
    assert header.startswith('| row | Python | torch |')
    assert line.startswith(f'| {row} | {version}.')
    assert f'| {torch.__version__} | {mmengine.__version__} |' in line
    assert line.endswith('passed |')


def test_unknown_rows_are_named(tmp_path):
    done = run(tmp_path, 'py27')
    assert done.returncode == 2
    assert 'no row is called py27: choose from oldest py310' in done.stderr
