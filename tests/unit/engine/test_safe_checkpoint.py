"""Checkpoints are read in full, and never run."""

import builtins
import http.server
import os
import pickle
import threading
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import ConfigDict
from mmengine.logging import HistoryBuffer
from mmengine.runner import CheckpointLoader

import mmcoop  # noqa: F401  (registers the loaders)


class Payload:
    """Makes a directory when unpickled by an ordinary unpickler."""

    def __init__(self, target: Path, call=os.mkdir) -> None:
        self.target = target
        self.call = call

    def __reduce__(self):
        return self.call, (str(self.target),)


class ReadsGlobals:
    """Climbs from a permitted class to the globals of its module."""

    def __reduce__(self):
        return builtins.getattr, (HistoryBuffer.__init__, '__globals__')


def read(path: Path):
    return CheckpointLoader.load_checkpoint(str(path), map_location='cpu')


def test_history_and_numpy_values_come_back(tmp_path):
    history = HistoryBuffer([0.5, 1.5], [1, 3])
    checkpoint = {
        'message_hub': {'log_scalars': {'loss': history}},
        'values': [np.float32(1.5), np.int64(2), np.bool_(True), np.str_('a')],
        'array': np.array([['a', 'bc']]),
        'metainfo': ConfigDict(classes=['cat'], nested=dict(a=1)),
        'state_dict': {'ctx': torch.arange(3.0)},
    }
    torch.save(checkpoint, tmp_path / 'a.pth')

    loaded = read(tmp_path / 'a.pth')

    loss = loaded['message_hub']['log_scalars']['loss']
    assert loss.mean() == history.mean() == 0.5
    assert loss.statistics('max') == 1.5
    assert loaded['values'] == checkpoint['values']
    assert loaded['array'].tolist() == [['a', 'bc']]
    assert loaded['metainfo'] == checkpoint['metainfo']
    assert torch.equal(loaded['state_dict']['ctx'], torch.arange(3.0))


@pytest.mark.parametrize(
    'array',
    [
        np.arange(6.0).reshape(2, 3),
        np.asfortranarray(np.arange(6).reshape(2, 3)),
        np.array(7, np.int8),
        np.zeros((0, 4), np.float16),
        np.array([True, False]),
        np.array([1 + 2j]),
        np.array([['a', ''], ['bcd', 'é']]),
        np.array([b'ab', b'c']),
        np.arange(3, dtype='>i4'),
    ],
    ids=lambda array: f'{array.dtype}-{array.shape}',
)
@pytest.mark.parametrize('protocol', [2, 4])
def test_arrays_come_back_as_they_were(tmp_path, array, protocol):
    torch.save([array], tmp_path / 'a.pth', pickle_protocol=2)
    (loaded,) = read(tmp_path / 'a.pth')
    # In this machine's byte order, as numpy reads them too
    assert loaded.dtype == array.dtype.newbyteorder('=')
    assert loaded.flags.writeable
    np.testing.assert_array_equal(loaded, array)
    # What is written again is numpy's own, for all readers.
    again = pickle.loads(pickle.dumps(loaded, protocol))
    assert type(again) is np.ndarray
    np.testing.assert_array_equal(again, array)


def test_a_history_goes_on_after_loading(tmp_path):
    history = HistoryBuffer([0.5, 1.5], [1, 1])
    for step in (2.5, 3.5):
        torch.save(history, tmp_path / 'a.pth')
        assert b'plain_arrays' not in (tmp_path / 'a.pth').read_bytes()
        history = read(tmp_path / 'a.pth')
        history.update(step)
    assert history.data[0].tolist() == [0.5, 1.5, 2.5, 3.5]
    assert history.mean(4) == 2.0


@pytest.mark.parametrize('old', [b'numpy._core', b'numpy.core'])
def test_arrays_of_both_numpy_generations_are_read(tmp_path, old):
    other = {b'numpy._core': b'numpy.core', b'numpy.core': b'numpy._core'}
    content = pickle.dumps(np.arange(3), protocol=2)
    assert old in content or other[old] in content
    legacy = content.replace(b'numpy._core', b'numpy.core')
    content = legacy if old == b'numpy.core' else content
    # `torch.load` also takes what `torch.save` wrote before it used zips
    header = [0x1950A86A20F9469CFC6C, 1001, {'little_endian': True}]
    parts = [pickle.dumps(item, protocol=2) for item in header]
    keys = pickle.dumps([], protocol=2)
    (tmp_path / 'a.pth').write_bytes(b''.join([*parts, content, keys]))

    assert read(tmp_path / 'a.pth').tolist() == [0, 1, 2]


@pytest.mark.parametrize('zipped', [True, False])
@pytest.mark.parametrize('call', [os.mkdir, os.system, eval])
def test_code_is_refused_and_not_run(tmp_path, zipped, call):
    target = tmp_path / 'made'
    torch.save(
        {'state_dict': {}, 'meta': Payload(target, call)},
        tmp_path / 'evil.pth',
        _use_new_zipfile_serialization=zipped,
    )

    with pytest.raises(
        pickle.UnpicklingError,
        match=rf'evil\.pth is refused: it asks for \S*{call.__name__}',
    ):
        read(tmp_path / 'evil.pth')
    assert not target.exists()


def test_getattr_gives_nothing_but_statistics(tmp_path):
    torch.save(ReadsGlobals(), tmp_path / 'evil.pth')
    with pytest.raises(pickle.UnpicklingError, match='is refused'):
        read(tmp_path / 'evil.pth')


def test_permission_ends_with_the_reading(tmp_path):
    torch.save(HistoryBuffer(), tmp_path / 'a.pth')
    read(tmp_path / 'a.pth')
    with pytest.raises(pickle.UnpicklingError):
        torch.load(tmp_path / 'a.pth', weights_only=True)


def test_environment_cannot_turn_it_off(tmp_path, monkeypatch):
    # Often advised against mmengine's failing --resume
    monkeypatch.setenv('TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD', '1')
    torch.save(Payload(tmp_path / 'made'), tmp_path / 'evil.pth')
    with pytest.raises(pickle.UnpicklingError, match='is refused'):
        read(tmp_path / 'evil.pth')
    assert not (tmp_path / 'made').exists()


def test_config_that_resuming_would_run_is_dropped(tmp_path):
    meta = {'config': 'import os', 'cfg': 'a = 1', 'epoch': 2}
    torch.save({'meta': meta}, tmp_path / 'a.pth')
    assert read(tmp_path / 'a.pth')['meta'] == {'cfg': 'a = 1', 'epoch': 2}


def test_damaged_file(tmp_path):
    torch.save({'a': torch.zeros(100)}, tmp_path / 'a.pth')
    content = (tmp_path / 'a.pth').read_bytes()
    for end in (0, 10, len(content) // 2):
        (tmp_path / 'a.pth').write_bytes(content[:end])
        with pytest.raises(RuntimeError, match=r'a\.pth cannot be read'):
            read(tmp_path / 'a.pth')


def test_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError, match=r'gone\.pth does not exist'):
        read(tmp_path / 'gone.pth')


@pytest.fixture
def url(tmp_path):
    """Serve `tmp_path / 'web'` on this machine."""
    web = tmp_path / 'web'
    web.mkdir()
    handler = partial(http.server.SimpleHTTPRequestHandler, directory=str(web))
    server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f'http://127.0.0.1:{server.server_port}'
    server.shutdown()
    thread.join()
    server.server_close()


def test_downloads_are_read_like_files(tmp_path, url, monkeypatch):
    monkeypatch.setenv('TORCH_HOME', str(tmp_path / 'cache'))
    torch.save(HistoryBuffer([2.0], [1]), tmp_path / 'web' / 'good.pth')
    torch.save(Payload(tmp_path / 'made'), tmp_path / 'web' / 'evil.pth')

    good = CheckpointLoader.load_checkpoint(f'{url}/good.pth')
    assert good.mean() == 2.0
    with pytest.raises(pickle.UnpicklingError, match='is refused'):
        CheckpointLoader.load_checkpoint(f'{url}/evil.pth')
    assert not (tmp_path / 'made').exists()
