"""Run a command of this repository in a process of its own, started at once.

The server that the processes are forked from has imported mmcoop before, and
done nothing else: importing torch and mmpretrain anew would be most of what
the tests of the commands cost. Everything else is as on a command line: the
file runs as ``__main__``, with its own arguments, folder and environment.
"""

import gc
import multiprocessing
import os
import runpy
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Mapping
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

TOOLS = Path(__file__).resolve().parents[1] / 'tools'
# Seconds, for a run that hangs
LIMIT = 600

_context = multiprocessing.get_context('forkserver')
_context.set_forkserver_preload(['mmcoop', 'mmpretrain.models'])


def run_tool(
    tool: str | Path,
    *args: Any,
    cwd: Path,
    env: Mapping[str, str] | None = None,
) -> subprocess.CompletedProcess:
    """Run ``python tools/TOOL ARGS…`` and wait for it.

    Args:
        tool (str | Path): Its path below ``tools/``, or the whole path of
            another Python file.
        *args: What follows on the command line.
        cwd (Path): Where it runs.
        env (Mapping[str, str], optional): Added to the environment.

    Returns:
        subprocess.CompletedProcess: ``stdout`` is what it printed on either
        stream, as text.
    """
    with tempfile.NamedTemporaryFile() as output:
        process = start_tool(
            tool, *args, cwd=cwd, env=env, output=Path(output.name)
        )
        process.join(LIMIT)
        if process.exitcode is None:
            process.kill()
            process.join()
        printed = output.read().decode(errors='replace')
    return subprocess.CompletedProcess(
        [tool, *args], process.exitcode, stdout=printed
    )


def start_tool(
    tool: str | Path,
    *args: Any,
    cwd: Path,
    env: Mapping[str, str] | None = None,
    output: Path | None = None,
) -> BaseProcess:
    """Start a command as `run_tool` does, without waiting.

    Returns:
        BaseProcess: Its process, with ``pid``, ``kill()``, ``join()`` and
        ``exitcode``. What it prints is added to the file ``output``.
    """
    command = [str(TOOLS / tool), *map(str, args)]
    process = _context.Process(
        target=_run,
        args=(command, str(cwd), dict(env or {}), output or os.devnull),
    )
    process.start()
    return process


def _run(
    command: list[str], cwd: str, env: dict[str, str], output: str
) -> None:
    """Become the command, in a fresh process."""
    target = os.open(output, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    for stream in (1, 2):
        os.dup2(target, stream)
    sys.stdout = os.fdopen(1, 'w', closefd=False)
    sys.stderr = os.fdopen(2, 'w', buffering=1, closefd=False)
    # As Python starts: the server's own way of starting is not the tool's.
    multiprocessing.set_start_method(None, force=True)
    warnings.simplefilter('ignore')
    # What was imported is no garbage to look through; see conftest.py.
    gc.freeze()
    os.chdir(cwd)
    os.environ.update(env)
    sys.argv = command
    sys.path.insert(0, os.path.dirname(command[0]))
    runpy.run_path(command[0], run_name='__main__')
