"""What a run goes on from, whatever has become of its files."""

import os
import signal

import pytest
import torch
from mmengine.fileio import get_file_backend
from mmengine.runner import find_latest_checkpoint
from tool_process import run_tool

from mmcoop.engine.atomic_file import (
    AtomicBackend,
    remove_unfinished,
    write_atomically,
)
from mmcoop.engine.last_checkpoint import (
    correct_note,
    note_last_checkpoint,
    what_is_wrong,
)
from mmcoop.engine.stop_signals import resume_command

TEMPLATE = 'epoch_{}.pth'


@pytest.fixture
def folder(tmp_path):
    """Three checkpoints, of which the last is noted."""
    for epoch in (1, 2, 3):
        checkpoint = dict(
            meta=dict(epoch=epoch, iter=epoch),
            state_dict=dict(ctx=torch.full((100,), float(epoch))),
            message_hub={},
        )
        torch.save(checkpoint, tmp_path / f'epoch_{epoch}.pth')
    note_last_checkpoint(tmp_path, str(tmp_path / 'epoch_3.pth'))
    return tmp_path


def cut_short(path):
    path.write_bytes(path.read_bytes()[:-300])


def flip_a_bit(path):
    content = bytearray(path.read_bytes())
    # In the middle of the context's 400 bytes
    place = content.index(torch.full((100,), 3.0).numpy().tobytes()) + 200
    content[place] ^= 1
    path.write_bytes(content)


def empty(path):
    path.write_bytes(b'')


def of_zeros(path):
    path.write_bytes(bytes(path.stat().st_size))


def of_text(path):
    path.write_text('<html>503 Service Unavailable</html>')


def of_weights_alone(path):
    torch.save(dict(state_dict={}), path)


def of_a_list(path):
    torch.save([1, 2], path)


def removed(path):
    path.unlink()


def a_folder(path):
    path.unlink()
    path.mkdir()


def hostile(path):
    torch.save(os.getcwd, path)


DAMAGES = [
    cut_short, flip_a_bit, empty, of_zeros, of_text, of_weights_alone,
    of_a_list, removed, a_folder, hostile,
]  # fmt: skip


def last(folder):
    found = correct_note(folder, folder, TEMPLATE)
    assert found == find_latest_checkpoint(str(folder))
    return found and os.path.basename(found)


def test_a_sound_note_is_left_alone(folder):
    before = (folder / 'last_checkpoint').stat()
    assert last(folder) == 'epoch_3.pth'
    assert (folder / 'last_checkpoint').stat() == before


@pytest.mark.parametrize('damage', DAMAGES)
def test_the_one_before_a_damaged_one(folder, damage, log):
    path = folder / 'epoch_3.pth'
    damage(path)
    assert last(folder) == 'epoch_2.pth'
    text = log.text
    assert str(path) in text
    assert f'Going on from {folder / "epoch_2.pth"}' in text


def test_all_are_damaged(folder, log):
    for epoch in (1, 2, 3):
        cut_short(folder / f'epoch_{epoch}.pth')
    assert last(folder) is None
    text = log.text
    assert 'starting from the beginning' in text
    assert text.count('cannot be read') == 3


def test_without_a_note(folder):
    (folder / 'last_checkpoint').unlink()
    assert last(folder) == 'epoch_3.pth'


def test_a_moved_folder(folder):
    note_last_checkpoint(folder, '/somewhere/else/epoch_3.pth')
    assert last(folder) == 'epoch_3.pth'


def test_what_an_earlier_run_left_is_not_taken(folder):
    note_last_checkpoint(folder, str(folder / 'epoch_2.pth'))
    cut_short(folder / 'epoch_2.pth')
    assert last(folder) == 'epoch_1.pth'
    # A new run has begun here, and has no checkpoint yet.
    note_last_checkpoint(folder, '')
    assert last(folder) is None


def test_a_stopped_run_is_further_than_its_last_epoch(folder):
    os.rename(folder / 'epoch_3.pth', folder / 'stopped.pth')
    (folder / 'last_checkpoint').unlink()
    assert last(folder) == 'stopped.pth'
    cut_short(folder / 'stopped.pth')
    assert last(folder) == 'epoch_2.pth'


def test_nothing_is_there(tmp_path):
    assert last(tmp_path) is None


def test_what_the_system_does_not_let_be_read_is_no_damage(
    folder, monkeypatch
):
    def refuse(*args, **kwargs):
        raise PermissionError(13, 'Permission denied', 'epoch_3.pth')

    monkeypatch.setattr(torch, 'load', refuse)
    with pytest.raises(PermissionError):
        what_is_wrong(folder / 'epoch_3.pth')


def test_a_file_appears_in_full(tmp_path):
    """Killed at every call of the system, there is the old or the new."""
    path = tmp_path / 'file'
    path.write_bytes(b'old')
    script = tmp_path / 'write.py'
    script.write_text(
        'import os, signal, sys\n'
        'def kill(*args): os.kill(os.getpid(), signal.SIGKILL)\n'
        'setattr(os, sys.argv[2], kill)\n'
        'from mmcoop.engine.atomic_file import write_atomically\n'
        "write_atomically(sys.argv[1], b'new')\n"
    )
    killed = run_tool(script, path, 'fsync', cwd=tmp_path)
    assert killed.returncode == -signal.SIGKILL
    script.unlink()
    assert path.read_bytes() == b'old'
    assert len(list(tmp_path.iterdir())) == 2
    remove_unfinished(tmp_path)
    assert list(tmp_path.iterdir()) == [path]


def test_it_is_on_the_disk_before_it_has_its_name(tmp_path, monkeypatch):
    calls = []
    for name in ('fsync', 'replace'):
        function = getattr(os, name)

        def call(*args, name=name, function=function):
            calls.append(name)
            return function(*args)

        monkeypatch.setattr(os, name, call)
    write_atomically(tmp_path / 'file', b'new')
    assert calls == ['fsync', 'replace', 'fsync']
    assert (tmp_path / 'file').read_bytes() == b'new'


def test_a_write_that_fails_leaves_nothing(tmp_path, monkeypatch):
    def fail(*args):
        raise OSError(28, 'No space left on device')

    path = tmp_path / 'file'
    path.write_bytes(b'old')
    monkeypatch.setattr(os, 'fsync', fail)
    with pytest.raises(OSError, match='No space left') as caught:
        write_atomically(path, b'new')
    assert caught.value.filename == str(path)
    assert path.read_bytes() == b'old'
    assert list(tmp_path.iterdir()) == [path]


def test_mmengine_finds_the_backend(tmp_path):
    backend = get_file_backend(backend_args=dict(backend='mmcoop.atomic'))
    assert isinstance(backend, AtomicBackend)
    backend.put(b'1', str(tmp_path / 'file'))
    assert backend.get(str(tmp_path / 'file')) == b'1'


@pytest.mark.parametrize(
    ('given', 'expected'),
    [
        ('train.py a.py', 'train.py a.py --resume'),
        ('train.py a.py --resume', 'train.py a.py --resume'),
        ('train.py a.py --resume x.pth --amp', 'train.py a.py --resume --amp'),
        ('train.py a.py --resume=x.pth', 'train.py a.py --resume'),
        ('train.py a.py --resume --amp', 'train.py a.py --resume --amp'),
    ],
)
def test_the_command_to_go_on(given, expected):
    assert resume_command(given.split()) == f'python {expected}'
    assert "'a b.py'" in resume_command(['train.py', 'a b.py'])
