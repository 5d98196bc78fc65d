"""Run the code blocks of a Markdown page as a reader would.

In bash, with one difference: the `python` that a block finds hands files to
`tool_process.run_tool`, which saves the seconds that importing mmpretrain
takes. What a test cannot wait for is shortened on the way: `more` names
options to add to a command. A block with a title is a file.
"""

import os
import re
import shlex
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Listener
from pathlib import Path
from threading import Thread

from mmengine.config import Config
from tool_process import run_tool

ROOT = Path(__file__).resolve().parents[1]
FENCE = re.compile(
    r'^```(\w*)(?: title="(.*?)")?\n(.*?)^```$', re.MULTILINE | re.DOTALL
)
HEADING = re.compile(r'^#+ (.*)$', re.MULTILINE)
PYTHON = """
import os
import sys
from multiprocessing.connection import Client

if not sys.argv[1:] or not sys.argv[1].endswith('.py'):
    os.execv({python!r}, [{python!r}, *sys.argv[1:]])
with Client({address!r}) as line:
    line.send((sys.argv[1:], os.getcwd(), dict(os.environ)))
    code, output = line.recv()
print(output)
sys.exit(code)
"""

Arguments = list[str]

# What a test can wait for: images of all classes, and a few steps
NUM_TEST = 80
INDICES = ','.join(map(str, range(0, 18 * NUM_TEST, 18)))
SHORT_RUN = [
    'train_cfg.max_epochs=1',
    'train_cfg.val_interval=1',
    'default_hooks.logger.interval=1',
    'default_hooks.report.enable=False',
]
EVALUATIONS = (
    'test.py',
    'confusion_matrix.py',
    'analyze_results.py',
    'vis_tsne.py',
)
# Commands name the checkpoint of a whole run
LAST_EPOCH = 'epoch_50.pth'


@dataclass(frozen=True)
class Block:
    """A fenced block of a page."""

    language: str
    title: str
    text: str
    heading: str


def read_blocks(page: Path) -> list[Block]:
    """The fenced blocks of a page, each with the heading above it."""
    text = page.read_text(encoding='utf-8')
    prose = FENCE.sub(lambda match: '\n' * match[0].count('\n'), text)
    lines = {
        prose[: match.start()].count('\n'): match[1]
        for match in HEADING.finditer(prose)
    }
    blocks = []
    for match in FENCE.finditer(text):
        number = text[: match.start()].count('\n')
        above = [name for line, name in lines.items() if line < number]
        blocks.append(
            Block(
                language=match[1],
                title=match[2] or '',
                text=match[3],
                heading=above[-1] if above else '',
            )
        )
    return blocks


def layout_of_repository(folder: Path) -> Path:
    """Make a folder look like a clone that nothing was run in yet."""
    for name in ('mmcoop', 'configs', 'tools'):
        (folder / name).symlink_to(ROOT / name)
    return folder


def shorten(arguments: Arguments) -> Arguments:
    """What to add to a command on the embedded data."""
    tool = Path(arguments[0]).name
    # These data sets are wrapped once more.
    inner = '.dataset' * any(a.endswith('_half.py') for a in arguments)
    if tool == 'train.py':
        return [
            '--cfg-options',
            *SHORT_RUN,
            f'train_dataloader.dataset{inner}.num_shots=2',
            f'val_dataloader.dataset{inner * 2}.indices={INDICES}',
        ]
    if tool in EVALUATIONS:
        return [
            '--cfg-options',
            f'test_dataloader.dataset{inner}.indices={INDICES}',
        ]
    return []


def name_last_epoch(work_dir: Path) -> None:
    """Let a shortened run end with the checkpoint of a whole one."""
    work_dir.mkdir(parents=True)
    (work_dir / LAST_EPOCH).symlink_to('epoch_1.pth')


class Shell:
    """A folder that commands are run in, one after the other."""

    def __init__(self, folder: Path, path: Path) -> None:
        self.folder = folder
        self._path = f'{path}:{os.environ["PATH"]}'

    def run(
        self, commands: str, go_on: bool = False
    ) -> subprocess.CompletedProcess:
        """Run bash commands, until one fails or to the end."""
        stop = [] if go_on else ['-e', '-o', 'pipefail']
        return subprocess.run(
            ['bash', *stop, '-c', commands],
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            env=dict(os.environ, PATH=self._path, PYTHONWARNINGS='ignore'),
        )

    def run_block(self, block: Block) -> subprocess.CompletedProcess | None:
        """Run a block of bash or Python; write the file that one shows."""
        if block.title:
            path = self.folder / block.title
            path.write_text(block.text, encoding='utf-8')
            Config.fromfile(path, import_custom_modules=False)
            return None
        if block.language == 'bash':
            return self.run(block.text)
        script = self.folder / 'block.py'
        script.write_text(block.text, encoding='utf-8')
        return self.run('python block.py')


@contextmanager
def open_shell(
    folder: Path, more: Callable[[Arguments], Arguments] = lambda _: []
) -> Iterator[Shell]:
    """Give a shell whose `python` starts at once.

    Args:
        folder (Path): Where commands are run.
        more (Callable): From the arguments of a `python` command, the file
            first, to those to add.

    Yields:
        Shell: Until the context ends.
    """
    path = folder / 'bin'
    path.mkdir()
    with Listener(family='AF_UNIX') as listener:
        server = Thread(target=_serve, args=(listener, more), daemon=True)
        server.start()
        client = path / 'client'
        client.write_text(
            PYTHON.format(python=sys.executable, address=listener.address)
        )
        python = path / 'python'
        python.write_text(
            f'#!/bin/sh\nexec {shlex.join([sys.executable, "-SE"])} '
            f'{shlex.quote(str(client))} "$@"'
        )
        python.chmod(0o755)
        yield Shell(folder, path)


def _serve(listener: Listener, more: Callable[[Arguments], Arguments]) -> None:
    while True:
        try:
            line = listener.accept()
        except OSError:  # closed, at the end of the context
            return
        with line:
            arguments, cwd, env = line.recv()
            try:
                done = run_tool(
                    Path(cwd, arguments[0]),
                    *arguments[1:],
                    *more(arguments),
                    cwd=Path(cwd),
                    env=env,
                )
            except Exception:  # else the next command would wait for ever
                line.send((1, traceback.format_exc()))
            else:
                line.send((done.returncode, done.stdout))
