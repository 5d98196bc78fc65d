import json
import multiprocessing
import time

import pytest
import torch

from mmcoop.protocol import sweep
from mmcoop.protocol.grid import Run
from mmcoop.protocol.run_folder import (
    ChangedRunError,
    RunFolder,
    write_json,
    write_whole,
)


@pytest.fixture
def run(tmp_path):
    (tmp_path / 'base.py').write_text('lr = 0.1\nsteps = (1, 2)\n')
    return lambda **settings: Run(
        labels={'seed': '1'},
        settings={'_base_.config': 'base.py', **settings},
        folder=tmp_path,
    )


def test_config_is_complete_and_ordinary(run, tmp_path):
    folder = RunFolder(tmp_path / 'run')
    folder.prepare(run(lr=0.3))
    cfg = folder.config()
    assert (cfg.lr, cfg.steps) == (0.3, (1, 2))
    assert cfg.work_dir == str(folder.training)
    assert folder.description['labels'] == {'seed': '1'}
    assert not folder.is_finished
    assert folder.failure is None


def test_same_run_is_found_again_and_another_refused(run, tmp_path):
    work_dir = str(tmp_path / 'work')
    (folder,) = sweep.prepare([run()], work_dir)
    write_json(folder.result_file, {})
    (again,) = sweep.prepare([run()], work_dir)
    assert again.is_finished
    with pytest.raises(ChangedRunError, match='1 of 1 runs .* like seed=1'):
        sweep.prepare([run(lr=0.2)], work_dir)
    assert again.is_finished
    (new,) = sweep.prepare([run(lr=0.2)], work_dir, restart_changed=True)
    assert not new.is_finished
    assert new.config().lr == 0.2


def test_interrupted_preparation_is_begun_again(run, tmp_path):
    folder = RunFolder(tmp_path / 'run')
    folder.path.mkdir()
    folder.config_file.write_text('lr = ')
    folder.prepare(run())
    assert folder.config().lr == 0.1


def test_files_appear_whole_or_not_at_all(tmp_path, monkeypatch):
    path = tmp_path / 'result.json'
    write_whole(path, 'old')

    def fail(*args):
        raise OSError('no space left')

    monkeypatch.setattr('os.fsync', fail)
    with pytest.raises(OSError, match='no space'):
        write_whole(path, 'new')
    assert path.read_text() == 'old'


def test_training_goes_on_from_the_last_sound_checkpoint(tmp_path):
    folder = RunFolder(tmp_path)
    assert folder.last_checkpoint() is None
    training = folder.training
    training.mkdir()
    content = dict(meta={}, state_dict={}, message_hub={})
    for epoch in (2, 9, 10):
        torch.save(content, training / f'epoch_{epoch}.pth')
    assert folder.last_checkpoint() == str(training / 'epoch_10.pth')
    # Killed while it was written
    whole = (training / 'epoch_10.pth').read_bytes()
    (training / 'epoch_10.pth').write_bytes(whole[: len(whole) // 2])
    assert folder.last_checkpoint() == str(training / 'epoch_9.pth')
    (training / 'epoch_9.pth').write_bytes(b'')
    assert folder.last_checkpoint() == str(training / 'epoch_2.pth')


def hold_lock(path, entered, release):
    with RunFolder(path).lock():
        entered.set()
        release.wait()


def test_two_processes_do_not_share_a_run(tmp_path):
    context = multiprocessing.get_context('forkserver')
    entered, release = context.Event(), context.Event()
    other = context.Process(
        target=hold_lock, args=(tmp_path, entered, release)
    )
    other.start()
    assert entered.wait(60)
    # A killed process holds nothing.
    begin = time.monotonic()
    other.kill()
    other.join()
    with RunFolder(tmp_path).lock():
        assert time.monotonic() - begin < 10


def test_failures_are_told_apart_from_runs_not_reached(tmp_path):
    class Job:
        state = 'FAILED'
        paths = type('Paths', (), {'stderr': 'log.err'})

        def stderr(self):
            return 'Killed\n'

    folders = [RunFolder(tmp_path / name) for name in 'abcd']
    for folder in folders:
        folder.path.mkdir()
    write_json(folders[0].result_file, {})
    write_json(folders[1].failure_file, {'error': 'ValueError: no'})
    failed, again = sweep._what_became_of(Job(), folders)
    assert failed == folders[1:3]
    assert again == folders[3:]
    lines = sweep.describe_failures(failed).splitlines()
    assert lines[0].endswith('b: ValueError: no')
    assert 'the process died (state FAILED; Killed)' in lines[1]
    assert json.loads(folders[2].failure_file.read_text())['error']


def test_progress_says_how_long_it_will_take(monkeypatch):
    monkeypatch.setattr(time, 'monotonic', lambda: 100.0)
    progress = sweep.Progress(total=10, before=2, begin=40.0)
    assert str(progress) == '2 of 10 runs finished'
    progress.finished, progress.failed = 1, 1
    assert str(progress) == (
        '3 of 10 runs finished, 1 failed, about 3 min left'
    )
