import shutil
from dataclasses import replace

import pytest
from PIL import Image

from mmcoop.datasets import COOP_DATASETS, IMAGENET_VARIANTS
from mmcoop.protocol import prepare as module
from mmcoop.protocol.downloads import SOURCES, folder_of
from mmcoop.protocol.fetch import FetchError


def test_every_data_set_has_a_source_or_instructions():
    assert set(SOURCES) == {*COOP_DATASETS, *IMAGENET_VARIANTS, 'imagenet'}
    for name, source in SOURCES.items():
        assert source.downloads or source.by_hand
        made = {item.makes for item in source.downloads}
        facts = COOP_DATASETS.get(name)
        if facts is not None and not facts.class_file:
            assert facts.split_file in made
        if not source.by_hand:
            facts = facts or IMAGENET_VARIANTS[name]
            assert facts.image_folder in made
        for item in source.downloads:
            assert item.md5 is None or len(item.md5) == 32


@pytest.fixture
def small_dtd(coop_data, tmp_path, monkeypatch):
    """DTD with one good image for each class, as if all of it."""
    shutil.copytree(coop_data / 'dtd', tmp_path / 'dtd')
    for path in (tmp_path / 'dtd' / 'images').rglob('*.jpg'):
        Image.new('RGB', (4, 4)).save(path)
    facts = replace(COOP_DATASETS['dtd'], num_images=(141, 141, 141))
    monkeypatch.setitem(COOP_DATASETS, 'dtd', facts)
    return tmp_path


def test_check_finds_nothing_where_all_is_well(small_dtd):
    assert module.check('dtd', str(small_dtd)) == []


def test_check_lists_every_missing_or_broken_file(small_dtd):
    images = small_dtd / 'dtd' / 'images'
    (images / '000' / '1.jpg').unlink()
    (images / '007' / '2.jpg').write_bytes(b'')
    faults = module.check('dtd', str(small_dtd))
    assert len(faults) == 2
    assert faults[0] == f'{images / "000" / "1.jpg"} is missing'
    broken = images / '007' / '2.jpg'
    assert faults[1].startswith(f'The file {broken} cannot be read')
    assert len(module.check('dtd', str(small_dtd), read=False)) == 1


def test_check_counts_what_split_files_list(coop_data):
    faults = module.check('dtd', str(coop_data), read=False)
    assert faults == [
        f'{split} lists 141 images instead of {number}: the split file is '
        'not the published one.'
        for split, number in (('train', 2820), ('val', 1128), ('test', 1692))
    ]


@pytest.mark.parametrize('name', SOURCES)
def test_check_says_what_is_missing_from_an_empty_folder(tmp_path, name):
    faults = module.check(name, str(tmp_path))
    assert all(str(tmp_path / folder_of(name)) in fault for fault in faults)
    assert faults


def test_prepare_gets_what_is_not_there(tmp_path, monkeypatch):
    got = []

    def download(url, file, md5, report):
        got.append(url)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()

    def unpack(file, target, inside, archive_inside):
        target.mkdir()

    monkeypatch.setattr(module, 'download', download)
    monkeypatch.setattr(module, 'unpack', unpack)
    assert module.prepare('dtd', str(tmp_path), say=got.append) == []
    assert (
        sum(line.startswith('http') and '->' not in line for line in got) == 2
    )
    assert (tmp_path / 'dtd' / 'images').is_dir()
    got.clear()
    module.prepare('dtd', str(tmp_path), say=got.append)
    assert all(line.endswith('is there') for line in got)


def test_prepare_says_what_to_do_by_hand(tmp_path):
    (todo,) = module.prepare('imagenet', str(tmp_path))
    assert f'{tmp_path}/imagenet/train/CLASS/IMAGE.JPEG' in todo
    assert 'https://www.image-net.org' in todo


def test_failing_download_ends_it(tmp_path, monkeypatch):
    def download(*args):
        raise FetchError('no network')

    monkeypatch.setattr(module, 'download', download)
    with pytest.raises(FetchError, match='no network'):
        module.prepare('dtd', str(tmp_path), say=lambda line: None)
