"""What a run holds, and what it writes, does not grow with its length."""

import gc
import os
from dataclasses import dataclass
from pathlib import Path

import pytest
import tiny_run
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.runner import Runner

PAGE = os.sysconf('SC_PAGE_SIZE')
# The hook's, in default_runtime.py
HISTORY = 1000


@dataclass
class Held:
    """What the process holds after an evaluation."""

    iteration: int
    memory: int  # bytes that are resident
    files: int  # open
    threads: int
    objects: int  # of Python's, without what was imported
    histories: int  # of the log
    history: int  # values in the longest one
    checkpoint: int  # bytes of the last one
    written: int  # bytes of all log files


class Observe(Hook):
    """Note what is held, after each evaluation."""

    priority = 'LOWEST'

    def __init__(self) -> None:
        self.seen: list[Held] = []

    def after_val_epoch(self, runner, metrics=None) -> None:
        gc.collect()
        logs = Path(runner.log_dir).rglob('*')
        resident = Path('/proc/self/statm').read_text().split()[1]
        histories = runner.message_hub.log_scalars.values()
        last = Path(runner.message_hub.get_info('last_ckpt'))
        self.seen.append(
            Held(
                iteration=runner.iter,
                memory=PAGE * int(resident),
                files=len(os.listdir('/proc/self/fd')),
                threads=len(os.listdir('/proc/self/task')),
                objects=len(gc.get_objects()),
                histories=len(histories),
                history=max(len(history.data[0]) for history in histories),
                checkpoint=last.stat().st_size,
                written=sum(f.stat().st_size for f in logs if f.is_file()),
            )
        )


def train(folder: Path, **options) -> tuple[Held, Held]:
    """Train, and give what was held a third of the way, and at the end."""
    cfg = Config.fromfile(tiny_run.write_config(folder))
    cfg.work_dir = str(folder / 'work')
    cfg.merge_from_dict(options)
    runner = Runner.from_cfg(cfg)
    observe = Observe()
    runner.register_hook(observe)
    runner.train()
    for held in observe.seen[:: max(len(observe.seen) // 8, 1)]:
        print(held)
    third, last = observe.seen[len(observe.seen) // 3], observe.seen[-1]
    print(last)
    assert len(list((folder / 'work').glob('*.pth'))) == 3
    return third, last


def check(third: Held, last: Held, megabytes: float) -> None:
    assert last.memory - third.memory < megabytes * 2**20
    assert last.files == third.files
    assert last.threads == third.threads
    assert last.objects - third.objects < 1000
    # At most full histories: a value and how often it counts, 8 bytes each
    full = 16 * last.histories * last.history
    assert last.checkpoint - third.checkpoint < full
    # A line and two of scalars every ten iterations and with each epoch
    steps = last.iteration - third.iteration
    assert (last.written - third.written) / steps < 500


linux = pytest.mark.skipif(
    not Path('/proc/self/statm').is_file(), reason='asks Linux what is held'
)


@linux
def test_300_iterations(tmp_path):
    """75 epochs of 4 iterations, each with evaluation and checkpoint."""
    third, last = train(
        tmp_path,
        train_cfg=dict(max_epochs=75),
        default_hooks=dict(history=dict(max_length=100)),
    )
    assert last.iteration == 300
    assert last.history == 100
    check(third, last, megabytes=8)


@linux
@pytest.mark.long
def test_10_000_iterations(tmp_path):
    """100 epochs of 100 iterations, with workers started anew in each."""
    third, last = train(
        tmp_path,
        train_cfg=dict(max_epochs=100),
        train_dataloader=dict(
            num_workers=1,
            persistent_workers=False,
            dataset=dict(num_images=1200),
        ),
    )
    assert last.iteration == 10_000
    assert last.history == HISTORY
    check(third, last, megabytes=8)
    assert last.written / last.iteration < 100
