import csv
import io
import multiprocessing
import os
import pickle
import shutil
import zipfile
from collections import Counter

import numpy as np
import pytest
from mmpretrain.datasets import CustomDataset

from mmcoop.datasets import Emoji, emoji
from mmcoop.registry import DATASETS

SIZES = {
    'train': 1625,
    'test': 1507,
    'test_fxemoji': 158,
    'test_high_contrast': 305,
    'test_streamline': 115,
}


@pytest.fixture(scope='module')
def unpacked(tmp_path_factory):
    """A folder with the unpacked images, for tests that only read it."""
    root = tmp_path_factory.mktemp('data') / 'emoji'
    Emoji(data_root=str(root))
    return root


@pytest.fixture(scope='module')
def archive():
    with zipfile.ZipFile(emoji.ARCHIVE) as archive:
        yield archive


def test_class_names_are_those_of_the_archive(archive):
    names = archive.read('emoji/classes.txt').decode().splitlines()
    assert Emoji.METAINFO['classes'] == tuple(names)
    assert len(set(names)) == 40


@pytest.mark.parametrize('split', SIZES)
def test_split_holds_what_the_index_lists(unpacked, archive, split):
    dataset = Emoji(data_root=str(unpacked), split=split)
    index = io.StringIO(archive.read('emoji/index.csv').decode())
    expected = {
        (str(unpacked / row['path']), int(row['label']))
        for row in csv.DictReader(index)
        if row['split'] == split
    }
    infos = [dataset.get_data_info(index) for index in range(len(dataset))]
    assert {(info['img_path'], info['gt_label']) for info in infos} == expected
    assert len(dataset) == SIZES[split]


def test_same_as_a_folder_per_class_data_set(unpacked):
    ours = Emoji(data_root=str(unpacked))
    theirs = CustomDataset(data_root=str(unpacked), data_prefix='train')
    assert len(ours) == len(theirs)
    for index in range(len(ours)):
        assert ours.get_data_info(index) == theirs.get_data_info(index)
    assert min(Counter(ours.get_gt_labels()).values()) >= 16


def test_image_is_read_by_an_ordinary_pipeline(unpacked):
    pipeline = [dict(type='LoadImageFromFile'), dict(type='PackInputs')]
    dataset = DATASETS.build(
        dict(
            type='mmcoop.Emoji',
            data_root=str(unpacked),
            split='test_fxemoji',
            pipeline=pipeline,
        )
    )
    sample = pickle.loads(pickle.dumps(dataset))[0]
    assert sample['inputs'].shape == (3, 64, 64)
    assert np.unique(sample['inputs']).size > 1


def test_nothing_is_unpacked_before_use(tmp_path):
    dataset = Emoji(data_root=str(tmp_path / 'emoji'), lazy_init=True)
    assert len(dataset.metainfo['classes']) == 40
    assert os.listdir(tmp_path) == []


def test_unpacks_into_an_empty_folder_and_leaves_nothing_else(tmp_path):
    root = tmp_path / 'emoji'
    root.mkdir()
    Emoji(data_root=str(root))
    assert os.listdir(tmp_path) == ['emoji']
    assert {*os.listdir(root)} == {*SIZES, 'index.csv', 'classes.txt'}


def test_home_folder_is_expanded(unpacked, monkeypatch):
    monkeypatch.setenv('HOME', str(unpacked.parent))
    dataset = Emoji(data_root='~/emoji', split='test_streamline')
    path = dataset.get_data_info(0)['img_path']
    assert path.startswith(str(unpacked))
    assert os.path.isfile(path)


def _load(root, barrier, sizes):
    barrier.wait()
    sizes.put(len(Emoji(data_root=root)))


# The processes only read and write files: threads of this one do not matter.
@pytest.mark.filterwarnings('ignore:.*multi-threaded.*:DeprecationWarning')
def test_several_processes_may_start_at_once(tmp_path):
    context = multiprocessing.get_context('fork')
    barrier, sizes = context.Barrier(3), context.Queue()
    root = str(tmp_path / 'data' / 'emoji')
    processes = [
        context.Process(target=_load, args=(root, barrier, sizes))
        for _ in range(3)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join(timeout=60)
    assert [process.exitcode for process in processes] == [0, 0, 0]
    assert [sizes.get(timeout=5) for _ in processes] == [1625] * 3
    assert os.listdir(tmp_path / 'data') == ['emoji']


def test_slower_process_uses_what_the_faster_one_unpacked(
    tmp_path, unpacked, monkeypatch
):
    root = tmp_path / 'emoji'
    rename = os.rename

    def be_slower(source, target):
        shutil.copytree(unpacked, root)
        rename(source, target)

    monkeypatch.setattr(emoji.os, 'rename', be_slower)
    assert len(Emoji(data_root=str(root))) == 1625
    assert os.listdir(tmp_path) == ['emoji']


def test_interrupted_unpacking_leaves_no_half_folder(tmp_path, monkeypatch):
    root = tmp_path / 'emoji'
    extract = zipfile.ZipFile.extractall

    def be_interrupted(archive, path):
        extract(archive, path, archive.namelist()[:10])
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(zipfile.ZipFile, 'extractall', be_interrupted)
        with pytest.raises(KeyboardInterrupt):
            Emoji(data_root=str(root))
    assert os.listdir(tmp_path) == []
    assert len(Emoji(data_root=str(root))) == 1625


@pytest.mark.parametrize('damage', ['missing', 'truncated'])
def test_damaged_folder_is_reported(tmp_path, unpacked, damage):
    root = tmp_path / 'emoji'
    shutil.copytree(unpacked, root)
    victim = next((root / 'train' / '03_bird').iterdir())
    if damage == 'missing':
        victim.unlink()
    else:
        victim.write_bytes(victim.read_bytes()[:-1])
    with pytest.raises(OSError, match='1 of 1625 emoji images') as error:
        Emoji(data_root=str(root))
    assert f'03_bird/{victim.name}' in str(error.value)
    assert f'{root} are missing or damaged' in str(error.value)
    assert 'Delete that folder' in str(error.value)
    assert len(Emoji(data_root=str(root), split='test')) == 1507


def test_damaged_archive_is_reported(tmp_path, monkeypatch):
    damaged = tmp_path / 'emoji.zip'
    damaged.write_bytes(emoji.ARCHIVE.read_bytes()[:-1])
    monkeypatch.setattr(emoji, 'ARCHIVE', damaged)
    with pytest.raises(OSError, match=r'emoji\.zip is damaged.*Install'):
        Emoji(data_root=str(tmp_path / 'emoji'))
    assert not (tmp_path / 'emoji').exists()


def test_folder_with_other_things_is_refused_and_kept(tmp_path):
    (tmp_path / 'holiday.jpg').write_text('precious')
    with pytest.raises(OSError, match='cannot be unpacked to data_root'):
        Emoji(data_root=str(tmp_path))
    assert (tmp_path / 'holiday.jpg').read_text() == 'precious'


def test_place_that_cannot_be_written_to_is_reported(tmp_path):
    (tmp_path / 'file').write_text('')
    with pytest.raises(OSError, match='Set data_root to a folder that can'):
        Emoji(data_root=str(tmp_path / 'file' / 'emoji'))


def test_unknown_split_is_refused_with_the_known_ones(tmp_path):
    with pytest.raises(ValueError, match=r"'val'.*'train'.*'test_streamline'"):
        Emoji(data_root=str(tmp_path), split='val')
