"""Files that are made to do harm are refused, and nothing of them runs.

Each entry of HOSTILE writes a file and says what reads it. Those with code
in them would make the file `mark` if it ran.
"""

import builtins
import io
import json
import os
import pickle
import runpy
import struct
import subprocess
import sys
import tarfile
import zipfile
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.logging import HistoryBuffer
from mmengine.runner import CheckpointLoader

from mmcoop.apis.checkpoint_config import check_types, parse_config
from mmcoop.datasets import CoOpSplit, LoadImageFromFile, OwnImages
from mmcoop.datasets.feature_file import (
    FeatureWriter,
    open_features,
    read_header,
)
from mmcoop.models.class_names import resolve_class_names
from mmcoop.models.clip import text_encoder
from mmcoop.protocol.fetch import unpack
from mmcoop.protocol.official_checkpoint import load_context
from mmcoop.protocol.results import read_results

HOSTILE = {}


def hostile(reader, message):
    """Note a function that writes a hostile file."""

    def note(write):
        name = write.__name__.removeprefix('_').replace('_', ' ')
        HOSTILE[name] = write, reader, message
        return write

    return note


class Call:
    """Calls a function as it is unpickled."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


def shell(mark):
    return Call(os.system, f'touch {mark}')


# ---- What reads them


def checkpoint(path):
    """Read it as training, tests and `--resume` do."""
    CheckpointLoader.load_checkpoint(str(path), map_location='cpu')


def context(path):
    """Read it as `mmcoop.load` and the conversion do."""
    load_context(str(path))


def split_file(path):
    CoOpSplit(data_root=str(path.parent), split_file=path.name)


def own_csv(path):
    OwnImages(str(path))


def class_names(path):
    resolve_class_names(str(path))


def features(path):
    open_features(path.parent / 'kept', read_header(path.parent / 'kept'))


def archive(path):
    unpack(path, path.parent / 'images', 'images')


def results(path):
    read_results([path.parent])


def stored_config(path):
    check_types(parse_config(path.read_text()))


def clip_folder(path):
    text_encoder(dict(name=f'local-dir:{path.parent}'))


def image(path):
    LoadImageFromFile()(dict(img_path=str(path)))


# ---- Checkpoints that call something

ASKS = 'is refused: it asks for'


@hostile(checkpoint, ASKS)
def _system_in_the_weights(path, mark):
    torch.save(dict(state_dict=dict(ctx=shell(mark))), path)


@hostile(checkpoint, ASKS)
def _system_in_the_optimizer(path, mark):
    state = dict(state={0: dict(momentum_buffer=[1, (2, shell(mark))])})
    torch.save(dict(state_dict={}, optimizer=state), path)


@hostile(checkpoint, ASKS)
def _system_in_the_meta(path, mark):
    torch.save(dict(meta=dict(cfg='', epoch=shell(mark))), path)


@hostile(checkpoint, ASKS)
def _system_in_the_state_of_resume(path, mark):
    hub = dict(log_scalars=dict(), runtime_info=dict(random_state=shell(mark)))
    torch.save(dict(state_dict={}, message_hub=hub), path)


@hostile(checkpoint, ASKS)
def _system_as_a_key(path, mark):
    class Key(Call):
        def __hash__(self):
            return 1

    torch.save(dict(state_dict={Key(os.system, f'touch {mark}'): 1}), path)


@hostile(checkpoint, ASKS)
def _system_within_a_log_history(path, mark):
    history = HistoryBuffer()
    history._log_history = shell(mark)
    torch.save(dict(message_hub=dict(log_scalars=dict(loss=history))), path)


@hostile(checkpoint, ASKS)
def _eval(path, mark):
    code = f'__import__("pathlib").Path({str(mark)!r}).touch()'
    torch.save(Call(eval, code), path)


@hostile(checkpoint, ASKS)
def _exec_in_the_older_form(path, mark):
    code = f'open({str(mark)!r}, "w")'
    torch.save(Call(exec, code), path, _use_new_zipfile_serialization=False)


@hostile(checkpoint, ASKS)
def _subprocess(path, mark):
    torch.save(Call(subprocess.getoutput, f'touch {mark}'), path)


@hostile(checkpoint, ASKS)
def _module_loaded_by_path(path, mark):
    module = path.parent / 'evil.py'
    module.write_text(f'import pathlib; pathlib.Path({str(mark)!r}).touch()')
    torch.save(Call(runpy.run_path, str(module)), path)


@hostile(checkpoint, ASKS)
def _getattr_to_the_globals_of_a_module(path, mark):
    climb = Call(builtins.getattr, HistoryBuffer.__init__, '__globals__')
    torch.save(dict(meta=climb), path)


@hostile(checkpoint, ASKS)
def _torch_load_of_another_file(path, mark):
    torch.save(Call(torch.load, str(mark)), path)


@hostile(checkpoint, 'cannot be read')
def _plain_pickle(path, mark):
    path.write_bytes(pickle.dumps(dict(state_dict=shell(mark))))


@hostile(checkpoint, 'cannot be read|is refused')
def _plain_pickle_protocol_0(path, mark):
    path.write_bytes(b'cposix\nsystem\n(S"touch %s"\ntR.' % bytes(mark))


@hostile(checkpoint, 'cannot be read')
def _pickle_in_the_oldest_form_tar(path, mark):
    with tarfile.open(path, 'w') as content:
        for name in ('storages', 'tensors', 'pickle'):
            data = pickle.dumps(shell(mark), protocol=2)
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            content.addfile(entry, io.BytesIO(data))


@hostile(context, ASKS)
def _system_as_a_scheduler_of_the_original(path, mark):
    state = dict(ctx=torch.zeros(4, 8))
    torch.save(dict(state_dict=state, scheduler=shell(mark)), path)


@hostile(context, ASKS)
def _function_that_is_called_like_an_optimizer(path, mark):
    class Fake:
        def __reduce__(self):
            return exec, (f'open({str(mark)!r}, "w")',)

    Fake.__module__ = 'dassl.optim.scheduler'
    torch.save(dict(state_dict=dict(ctx=Fake())), path)


# ---- Checkpoints that forge memory, or want all of it


def pickled_numpy(path, code, state, data):
    """Write the pickle of an array of a type with any state."""

    class Type:
        def __reduce__(self):
            return np.dtype, (code, False, True), state

    class Array:
        def __reduce__(self):
            make = np.empty(0).__reduce__()[0]
            return make, (np.ndarray, (0,), b'b'), (1, (1,), Type(), 0, data)

    torch.save(dict(state_dict=dict(ctx=Array())), path)


@hostile(checkpoint, 'neither numbers nor text')
def _array_of_forged_pointers(path, mark):
    # Says that its objects are none, so that their addresses are read from
    # the file: with the addresses of a real one, code runs.
    state = (3, '|', None, None, None, -1, -1, 0)
    pickled_numpy(path, 'O8', state, struct.pack('Q', 0x4141414141414141))


@hostile(checkpoint, 'neither numbers nor text')
def _structured_array_of_pointers(path, mark):
    state = (3, '|', None, ('a',), {'a': (np.dtype('f8'), 0)}, 8, 1, 0)
    pickled_numpy(path, 'V8', state, bytes(8))


@hostile(checkpoint, 'cannot be read')
def _array_larger_than_its_data(path, mark):
    class Array:
        def __reduce__(self):
            make = np.empty(0).__reduce__()[0]
            kind = np.dtype('f8')
            state = (1, (1 << 40,), kind, False, bytes(8))
            return make, (np.ndarray, (0,), b'b'), state

    torch.save(Array(), path)


@hostile(checkpoint, 'cannot be read')
def _array_on_a_buffer_of_pointers(path, mark):
    torch.save(Call(np.ndarray, (1,), 'O', bytes(8)), path)


@hostile(checkpoint, 'cannot be read')
def _a_tebibyte_of_bytes(path, mark):
    torch.save(Call(bytes, 1 << 40), path)


@hostile(checkpoint, 'bytearray')
def _a_tebibyte_of_bytearray(path, mark):
    torch.save(Call(bytearray, 1 << 40), path)


@hostile(checkpoint, 'compressed or lie over each other')
def _compressed_checkpoint(path, mark):
    file = io.BytesIO()
    torch.save(dict(state_dict=dict(ctx=torch.zeros(1 << 20))), file)
    packed = zipfile.ZipFile(path, 'w', zipfile.ZIP_DEFLATED)
    with zipfile.ZipFile(file) as plain, packed:
        for name in plain.namelist():
            packed.writestr(name, plain.read(name))


@hostile(context, 'with all numbers in the file')
def _a_number_that_says_it_is_a_tebibyte(path, mark):
    ctx = torch.zeros(1).half().expand(1 << 20, 1 << 20)
    torch.save(dict(state_dict=dict(ctx=ctx)), path)


@hostile(context, 'with all numbers in the file')
def _a_context_without_memory(path, mark):
    ctx = torch.empty(1 << 20, 1 << 20, device='meta')
    torch.save(dict(state_dict=dict(ctx=ctx)), path)


@hostile(context, 'wanted')
def _a_context_that_is_a_text(path, mark):
    torch.save(dict(state_dict=OrderedDict(ctx='import os')), path)


@hostile(checkpoint, 'cannot be read')
def _empty_checkpoint(path, mark):
    path.touch()


@hostile(checkpoint, 'cannot be read')
def _nested_pickle(path, mark):
    # Unhashable, and deep
    path.write_bytes(b'\x80\x02' + b']' * 100_000 + b'}s.')


# ---- Kept features


def write_features(path, **changes):
    origin = dict(images=dict(number=2, names='', contents=''))
    writer = FeatureWriter(path.parent / 'kept', origin, 1, 2, 2)
    writer.append(np.ones((2, 3), np.float32))
    writer.finish()
    header = json.loads((path.parent / 'kept.json').read_text())
    (path.parent / 'kept.json').write_text(json.dumps(header | changes))


@hostile(features, 'is damaged .*[Oo]bject')
def _features_that_are_a_pickle(path, mark):
    write_features(path)
    objects = np.array([shell(mark)], dtype=object)
    np.save(path.parent / 'kept.npy', objects, allow_pickle=True)


@hostile(features, 'is damaged')
def _features_with_code_for_a_header(path, mark):
    write_features(path)
    code = f'open({str(mark)!r}, "w")'.encode().ljust(118) + b'\n'
    content = b'\x93NUMPY\x01\x00' + struct.pack('<H', len(code)) + code
    (path.parent / 'kept.npy').write_bytes(content + bytes(99))


@hostile(features, 'is damaged')
def _features_with_a_nested_header(path, mark):
    write_features(path)
    code = b'(' * 9_000 + b'\n'
    content = b'\x93NUMPY\x01\x00' + struct.pack('<H', len(code)) + code
    (path.parent / 'kept.npy').write_bytes(content)


@hostile(features, 'is damaged')
def _features_with_a_header_of_gigabytes(path, mark):
    write_features(path)
    head = b'\x93NUMPY\x02\x00' + struct.pack('<I', 0xFFFFFFFF)
    (path.parent / 'kept.npy').write_bytes(head + b'{')


@hostile(features, 'is damaged')
def _features_of_negative_shape(path, mark):
    write_features(path, shape=[1, -2, 3])


@hostile(features, 'is damaged')
def _features_in_blocks_of_no_rows(path, mark):
    write_features(path, rows_per_block=0)


@hostile(features, 'is damaged')
def _features_of_more_than_memory(path, mark):
    write_features(path)
    text = "{'descr': '<f4', 'fortran_order': False, 'shape': (1, %d, 3)}"
    head = (text % (1 << 60)).encode().ljust(117) + b'\n'
    content = b'\x93NUMPY\x01\x00' + struct.pack('<H', len(head)) + head
    (path.parent / 'kept.npy').write_bytes(content)


# ---- Split files, class names and results


def write_split(path, *entries, tail=''):
    train = json.dumps(entries)
    path.write_text(f'{{"train": {train}, "val": [], "test": []{tail}}}')


@hostile(split_file, 'nested too deep')
def _split_file_nested_100000_times(path, mark):
    path.write_text('[' * 100_000)


@hostile(split_file, 'NaN is no number')
def _split_file_with_nan(path, mark):
    path.write_text('{"train": [["a.jpg", NaN, "cat"]]}')


@hostile(split_file, 'no split file')
def _split_file_with_a_huge_number(path, mark):
    path.write_text('{"train": [["a.jpg", %s, "cat"]]}' % ('9' * 100_000))


@hostile(split_file, "the key 'train' is there twice")
def _split_file_with_a_key_given_twice(path, mark):
    write_split(path, ['a.jpg', 0, 'cat'], tail=', "train": []')


@hostile(split_file, r"'\.\./\.\./etc/passwd'.*may lead out")
def _split_file_that_leads_out(path, mark):
    write_split(path, ['../../etc/passwd', 0, 'cat'])


@hostile(split_file, r"'a/\.\./\.\./b\.jpg'.*may lead out")
def _split_file_that_leads_out_on_the_way(path, mark):
    write_split(path, ['a/../../b.jpg', 0, 'cat'])


@hostile(split_file, "'/etc/passwd'.*may lead out")
def _split_file_with_an_absolute_path(path, mark):
    write_split(path, ['/etc/passwd', 0, 'cat'])


@hostile(split_file, 'may lead out')
def _split_file_that_leads_out_on_windows(path, mark):
    write_split(path, ['..\\..\\secret.jpg', 0, 'cat'])


@hostile(split_file, 'may lead out')
def _split_file_with_a_drive(path, mark):
    write_split(path, ['C:\\secret.jpg', 0, 'cat'])


@hostile(split_file, 'control characters')
def _split_file_with_a_line_break_in_a_path(path, mark):
    write_split(path, ['a\nERROR: all is well.jpg', 0, 'cat'])


@hostile(split_file, 'control characters')
def _split_file_with_a_null_in_a_path(path, mark):
    write_split(path, ['a.jpg\0.png', 0, 'cat'])


@hostile(split_file, 'which is no text')
def _split_file_with_half_a_character(path, mark):
    path.write_text(
        '{"train": [["\\ud800.jpg", 0, "a"]], "val": [], "test": []}'
    )


@hostile(split_file, 'is a device or a pipe')
def _split_file_without_end(path, mark):
    path.symlink_to('/dev/zero')


@hostile(split_file, 'MiB of text are read')
def _split_file_of_a_tebibyte(path, mark):
    with open(path, 'wb') as file:
        file.truncate(1 << 40)


@hostile(class_names, r'unseen character U\+0085')
def _class_names_with_an_unseen_line_end(path, mark):
    path.write_text('cat\x85dog\n', encoding='utf-8')


@hostile(class_names, r'unseen character U\+202E')
def _class_names_that_turn_the_direction(path, mark):
    path.write_text('cat\ngod\u202egpj.exe\n', encoding='utf-8')


@hostile(class_names, 'is a device or a pipe|nor a file')
def _class_names_from_a_pipe(path, mark):
    os.mkfifo(path)


@hostile(own_csv, 'no CSV')
def _csv_with_a_field_of_gigabytes(path, mark):
    path.write_text('path,label\n"' + 'a' * 200_000 + '",cat\n')


@hostile(results, 'no result of a run')
def _results_that_are_something_else(path, mark):
    (path.parent / 'result.json').write_text('{"labels": [], "metrics": 3}')


@hostile(results, 'no JSON.*NaN')
def _results_with_nan(path, mark):
    (path.parent / 'result.json').write_text('{"metrics": NaN}')


@hostile(results, 'no JSON.*too deep')
def _results_nested_100000_times(path, mark):
    (path.parent / 'result.json').write_text('{"a":' * 100_000)


# ---- Archives


def tar_entry(name, kind, content=b'', link=''):
    entry = tarfile.TarInfo(name)
    entry.type, entry.linkname, entry.size = kind, link, len(content)
    return entry, io.BytesIO(content)


def write_tar(path, *entries, mode='w'):
    with tarfile.open(path, mode) as content:
        for entry, data in entries:
            content.addfile(entry, data)


@hostile(archive, 'outside of its folder')
def _zip_that_leads_out(path, mark):
    with zipfile.ZipFile(path, 'w') as content:
        content.writestr(f'images/../../{mark.name}', 'x')


@hostile(archive, 'outside of its folder')
def _tar_with_an_absolute_name(path, mark):
    write_tar(path, tar_entry(str(mark), tarfile.REGTYPE, b'x'))


@hostile(archive, 'outside of its folder')
def _tar_with_a_link_out(path, mark):
    write_tar(
        path,
        tar_entry('images/link', tarfile.SYMTYPE, link='../..'),
        tar_entry(f'images/link/{mark.name}', tarfile.REGTYPE, b'x'),
    )


@hostile(archive, 'outside of its folder')
def _tar_with_an_absolute_link(path, mark):
    entry = tar_entry('images/link', tarfile.SYMTYPE, link=str(mark.parent))
    write_tar(path, entry)


@hostile(archive, 'outside of its folder')
def _tar_with_a_hard_link_out(path, mark):
    write_tar(
        path, tar_entry('images/a', tarfile.LNKTYPE, link='../../etc/passwd')
    )


@hostile(archive, 'a device or a pipe')
def _tar_with_a_device(path, mark):
    write_tar(path, tar_entry('images/disk', tarfile.BLKTYPE))


@hostile(archive, 'a device or a pipe')
def _tar_with_a_pipe(path, mark):
    write_tar(path, tar_entry('images/pipe', tarfile.FIFOTYPE))


@hostile(archive, 'made to fill the disk')
def _zip_that_unpacks_to_gigabytes(path, mark):
    with zipfile.ZipFile(path, 'w') as content:
        content.writestr('images/a', b'x')
    # The directory of the archive claims 4 GiB.
    data = bytearray(path.read_bytes())
    at = data.index(b'PK\x01\x02')
    data[at + 24 : at + 28] = b'\xff\xff\xff\xfe'
    path.write_bytes(data)


@hostile(archive, 'made to fill the disk')
def _tar_that_unpacks_to_a_tebibyte(path, mark):
    entry, _ = tar_entry('images/a', tarfile.REGTYPE)
    entry.size = 1 << 40
    path.write_bytes(entry.tobuf(tarfile.GNU_FORMAT))


@hostile(archive, 'header of 4294967296 bytes')
def _tar_with_a_name_of_gigabytes(path, mark):
    entry, _ = tar_entry('x', tarfile.GNUTYPE_LONGNAME)
    entry.size = 1 << 32
    path.write_bytes(entry.tobuf(tarfile.GNU_FORMAT))


@hostile(archive, 'cannot be unpacked')
def _zip_with_a_file_as_a_folder(path, mark):
    with zipfile.ZipFile(path, 'w') as content:
        content.writestr('images/a', 'x')
        content.writestr('images/a/b', 'x')


@hostile(archive, 'cannot be unpacked')
def _zip_with_a_password(path, mark):
    with zipfile.ZipFile(path, 'w') as content:
        content.writestr('images/a', 'x')
    data = bytearray(path.read_bytes())
    data[6] |= 1
    data[data.index(b'PK\x01\x02') + 8] |= 1
    path.write_bytes(data)


# ---- Folders of a CLIP


def write_clip(path, **text_cfg):
    text = dict(context_length=77, vocab_size=49408, width=8, heads=1)
    vision = dict(image_size=8, layers=1, width=8, patch_size=8)
    config = dict(
        embed_dim=8,
        vision_cfg=dict(vision, head_width=8),
        text_cfg=dict(text, layers=1, **text_cfg),
    )
    config = dict(model_cfg=config, preprocess_cfg={})
    (path.parent / 'open_clip_config.json').write_text(json.dumps(config))


@hostile(clip_folder, 'Weights only load failed')
def _weights_of_a_clip(path, mark):
    write_clip(path)
    torch.save(shell(mark), path.parent / 'open_clip_pytorch_model.bin')


@hostile(clip_folder, 'refused: .*trust_remote_code')
def _tokenizer_of_a_clip(path, mark):
    write_clip(
        path,
        hf_tokenizer_name='evil',
        tokenizer_kwargs=dict(trust_remote_code=True),
    )
    model = path.parent / 'open_clip_pytorch_model.bin'
    torch.save({}, model)
    names = dict(tokenizer_class='Evil', auto_map={'AutoTokenizer': 'evil.X'})
    (path.parent / 'tokenizer_config.json').write_text(json.dumps(names))
    code = f'import pathlib; pathlib.Path({str(mark)!r}).touch()'
    (path.parent / 'evil.py').write_text(code)


# ---- Configs within checkpoints, and images


@hostile(stored_config, 'code is never run')
def _stored_config_with_an_import(path, mark):
    path.write_text(f'__import__("os").system("touch {mark}")\n')


@hostile(stored_config, 'code is never run')
def _stored_config_with_a_comprehension(path, mark):
    path.write_text(f'a = [open({str(mark)!r}, "w") for _ in (1,)]\n')


@hostile(stored_config, 'could run code')
def _stored_config_that_names_a_function(path, mark):
    path.write_text("model = dict(type='os.system', command='true')\n")


@hostile(stored_config, 'cannot be read|code is never run')
def _stored_config_nested_100000_times(path, mark):
    path.write_text('a = ' + '[' * 100_000)


@hostile(image, 'EPS is a program')
def _image_that_is_a_program(path, mark):
    head = b'%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n'
    path.write_bytes(head + b'(%s) (w) file closefile\n' % bytes(mark))


@pytest.mark.parametrize('name', HOSTILE)
def test_is_refused(tmp_path, name):
    write, reader, message = HOSTILE[name]
    folder = tmp_path / 'folder'
    folder.mkdir()
    path, mark = folder / 'hostile.csv', tmp_path / 'mark'
    write(path, mark)
    before = sorted(folder.iterdir())
    with pytest.raises(Exception, match=f'(?s){message}') as error:
        reader(path)
    assert type(error.value).__module__.split('.')[0] in (
        'builtins',
        'pickle',
        '_pickle',
        'mmcoop',
    ), 'the error is one that the reader documents'
    assert not isinstance(
        error.value, MemoryError | RecursionError | AttributeError | KeyError
    )
    assert not mark.exists(), 'code in the file ran'
    assert sorted(folder.iterdir()) == before, 'something was left behind'
    assert [p.name for p in tmp_path.iterdir()] == ['folder']


def test_there_are_many():
    assert len(HOSTILE) >= 60


@pytest.mark.parametrize(
    'name',
    ['system in the weights', 'eval', 'system within a log history']
    + ['plain pickle protocol 0', 'module loaded by path'],
)
def test_the_traps_are_ones(tmp_path, name):
    """What is refused would have run."""
    path, mark = tmp_path / 'hostile', tmp_path / 'mark'
    HOSTILE[name][0](path, mark)
    if name.startswith('plain'):
        with open(path, 'rb') as file:
            pickle.load(file)
    else:
        torch.load(path, weights_only=False)
    assert mark.exists()


@pytest.mark.skipif(sys.platform != 'linux', reason='reads /proc')
def test_refusing_takes_no_memory(tmp_path):
    """The peak stays within 200 MiB of what it was, over all files."""

    def peak():
        status = Path('/proc/self/status').read_text()
        return int(status.split('VmHWM:')[1].split()[0]) >> 10

    before = peak()
    for number, (write, reader, _) in enumerate(HOSTILE.values()):
        folder = tmp_path / str(number)
        folder.mkdir()
        write(folder / 'hostile.csv', tmp_path / 'mark')
        with pytest.raises(Exception):  # noqa: B017, PT011
            reader(folder / 'hostile.csv')
    assert peak() < before + 200
