"""The state of a run, on disk, in a form that being killed cannot spoil.

A run is finished when its ``result.json`` is there, which appears whole or
not at all. A lock that the system releases with the process keeps two
processes off one run, also if the sweep that started one was killed.
"""

import fcntl
import json
import os
import pprint
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mmengine.config import Config

from mmcoop.engine.last_checkpoint import correct_note
from mmcoop.text_files import read_json

from .grid import Run


class ChangedRunError(ValueError):
    """A run was begun with another config than it would have now."""


class RunFolder:
    """What a run has left so far.

    Args:
        path (str | Path): Where it works.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.training = self.path / 'training'
        self.config_file = self.path / 'config.py'
        self.run_file = self.path / 'run.json'
        self.result_file = self.path / 'result.json'
        self.failure_file = self.path / 'failure.json'

    def prepare(self, run: Run) -> None:
        """Write down what is to be done.

        Args:
            run (Run): Of a sweep.

        Raises:
            ChangedRunError: If something else was begun here.
        """
        cfg = run.config()
        # Not the folder itself: mmengine writes a config.py of its own.
        cfg.work_dir = str(self.training)
        text = _as_text(cfg)
        wanted = dict(labels=run.labels, job=run.job, tests=run.tests)
        if self.run_file.is_file():
            begun = self.config_file.read_text(encoding='utf-8')
            if (begun, self.description) != (text, wanted):
                raise ChangedRunError(str(self.path))
            return
        self.path.mkdir(parents=True, exist_ok=True)
        write_whole(self.config_file, text)
        write_json(self.run_file, wanted)

    def delete(self) -> None:
        """Forget the run."""
        shutil.rmtree(self.path)

    @property
    def is_finished(self) -> bool:
        """bool: Whether there is a result."""
        return self.result_file.is_file()

    @property
    def description(self) -> dict[str, Any]:
        """dict: ``labels``, ``job`` and ``tests``."""
        return read_json(self.run_file)

    @property
    def result(self) -> dict[str, Any]:
        """dict: ``labels``, ``metrics`` by test, ``seconds``."""
        return read_json(self.result_file)

    @property
    def failure(self) -> dict[str, str] | None:
        """dict | None: ``error`` and ``traceback`` of the last try."""
        if not self.failure_file.is_file():
            return None
        return read_json(self.failure_file)

    def config(self) -> Config:
        """Read the config back.

        Returns:
            Config: As :meth:`prepare` wrote it.
        """
        return Config.fromfile(self.config_file)

    def last_checkpoint(self) -> str | None:
        """Find where training can go on.

        Returns:
            str | None: The last checkpoint that is sound.
        """
        return correct_note(self.training, self.training, 'epoch_{}.pth')

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Wait until no other process works here, and keep others off."""
        with open(self.path / 'lock', 'w') as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield


def _as_text(cfg: Config) -> str:
    # mmengine's own form is made pretty at half a second each.
    items = cfg.to_dict().items()
    return ''.join(
        f'{key} = {pprint.pformat(value, sort_dicts=False)}\n'
        for key, value in items
    )


def write_json(path: Path, content: Any) -> None:
    """Write a JSON file, whole or not at all.

    Args:
        path (Path): Where.
        content (Any): What.
    """
    write_whole(path, json.dumps(content, indent=2, ensure_ascii=False) + '\n')


def write_whole(path: Path, text: str) -> None:
    """Write a text file, whole or not at all.

    Args:
        path (Path): Where.
        text (str): What.
    """
    part = path.with_name(f'.{path.name}.{os.getpid()}')
    with open(part, 'w', encoding='utf-8') as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(part, path)
