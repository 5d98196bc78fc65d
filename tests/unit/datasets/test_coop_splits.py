import hashlib
import json
import random
import shutil
from pathlib import Path

import pytest
from mmengine.logging import MMLogger

from mmcoop.datasets import COOP_DATASETS, CoOpSplit, FewShot
from mmcoop.registry import DATASETS

SPLITS = Path(__file__).parents[4] / 'shared' / 'splits'


def paths(dataset):
    return [
        dataset.get_data_info(index)['img_path']
        for index in range(len(dataset))
    ]


def write_split(folder, **parts):
    folder.mkdir(parents=True, exist_ok=True)
    content = dict(train=[], val=[], test=[]) | parts
    (folder / 'split.json').write_text(json.dumps(content))


@pytest.mark.parametrize('name', COOP_DATASETS)
def test_reads_every_data_set_in_its_layout(coop_data, name):
    facts = COOP_DATASETS[name]
    for split in ('train', 'val', 'test'):
        dataset = DATASETS.build(
            dict(
                type='mmcoop.CoOpSplit',
                name=name,
                data_root=str(coop_data),
                split=split,
            )
        )
        assert len(dataset) == 3 * facts.num_classes
        labels = dataset.get_gt_labels().tolist()
        assert labels == [k for k in range(facts.num_classes) for _ in 'abc']
        assert len(dataset.metainfo['classes']) == facts.num_classes
        assert dataset.metainfo['classes'][3] == f'{facts.title} kind 3'
        assert all(Path(path).is_file() for path in paths(dataset))


def published():
    """What is drawn of the data sets whose split files are there."""
    if not SPLITS.is_dir():
        return {}
    content = json.loads((SPLITS / 'expected_shots.json').read_text())
    return {name: drawn['shots'] for name, drawn in content.items()}


@pytest.fixture(scope='module')
def published_data(tmp_path_factory):
    root = tmp_path_factory.mktemp('published')
    for facts in COOP_DATASETS.values():
        if (SPLITS / facts.split_file).is_file():
            (root / facts.folder).mkdir()
            shutil.copy(SPLITS / facts.split_file, root / facts.folder)
    return root


@pytest.mark.skipif(not SPLITS.is_dir(), reason='needs the published splits')
@pytest.mark.parametrize(
    ('name', 'expected'),
    [
        pytest.param(name, shots, id=f'{name}-{shots["num_shots"]}-{seed}')
        for name, drawn in published().items()
        for shots in drawn
        for seed in [shots['seed']]
    ],
)
def test_draws_the_published_shots(published_data, name, expected):
    facts = COOP_DATASETS[name]
    random.seed(expected['num_shots'])
    config = dict(
        type='mmcoop.CoOpSplit', name=name, data_root=str(published_data)
    )
    shots = FewShot(config, expected['num_shots'], expected['seed'])
    folder = published_data / facts.folder / facts.image_folder
    drawn = [str(Path(path).relative_to(folder)) for path in paths(shots)]
    assert (
        hashlib.sha256('\n'.join(drawn).encode()).hexdigest()
        == expected['train_sha256']
    )
    assert len(shots.metainfo['classes']) == facts.num_classes


def test_all_published_combinations_are_tested():
    assert sum(map(len, published().values())) in (0, 45)


@pytest.mark.parametrize('name', published())
def test_published_splits_have_their_sizes(published_data, name):
    sizes = [
        len(CoOpSplit(name, str(published_data), split))
        for split in ('train', 'val', 'test')
    ]
    assert tuple(sizes) == COOP_DATASETS[name].num_images


def test_own_split_file(tmp_path):
    write_split(
        tmp_path,
        train=[['b/1.png', 1, 'blue tit'], ['a/1.png', 0, 'auk']],
        test=[['c/1.png', 2, 'crow']],
    )
    dataset = CoOpSplit(
        data_root=str(tmp_path), split_file='split.json', image_folder='img'
    )
    # Names come from all splits, images from one, in the file's order.
    assert dataset.metainfo['classes'] == ('auk', 'blue tit', 'crow')
    assert paths(dataset) == [
        str(tmp_path / 'img/b/1.png'),
        str(tmp_path / 'img/a/1.png'),
    ]
    assert dataset.get_gt_labels().tolist() == [1, 0]


@pytest.mark.parametrize(
    ('text', 'fault'),
    [
        ('<!DOCTYPE html>', 'JSONDecodeError'),
        ('{"train": []}', "KeyError: 'val'"),
        ('{"train": [["a", 0]], "val": [], "test": []}', 'is not [PATH,'),
        ('[]', 'TypeError'),
        (
            '{"train": [["a", 0, "x"], ["b", 0, "y"]], "val": [], "test": []}',
            "label 0 is 'x' and, for b, 'y'",
        ),
        ('{"train": [["a", 1, "x"]], "val": [], "test": []}', 'without a gap'),
    ],
)
def test_other_json_is_refused(tmp_path, text, fault):
    (tmp_path / 'split.json').write_text(text)
    with pytest.raises(ValueError, match='is no split file') as error:
        CoOpSplit(data_root=str(tmp_path), split_file='split.json')
    assert fault in str(error.value)


@pytest.mark.parametrize(
    'label', [1.0, True, '1', None, [1], {}, 0.5, -1, 2, 10**30]
)
def test_labels_count_in_whole_numbers(tmp_path, label):
    write_split(tmp_path, train=[['a.jpg', 0, 'cat'], ['b.jpg', label, 'dog']])
    with pytest.raises(ValueError, match='is no whole number|without a gap'):
        CoOpSplit(data_root=str(tmp_path), split_file='split.json')


@pytest.mark.parametrize(
    'path', ['/a.jpg', '../a.jpg', 'a/../../b.jpg', '..', '', 'a\nb.jpg', 3]
)
def test_paths_stay_in_the_folder_of_images(tmp_path, path):
    write_split(tmp_path, val=[['b.jpg', 0, 'cat'], [path, 0, 'cat']])
    with pytest.raises(ValueError, match='path') as error:
        CoOpSplit(data_root=str(tmp_path), split_file='split.json')
    assert json.dumps(path).strip('"').replace('\\', '') in str(
        error.value
    ).replace('\\', '')


def test_paths_with_dots_and_other_scripts_are_read(tmp_path):
    names = ['..a.jpg', 'a..b/c.jpg', './d.jpg', 'é ü/猫.jpg', 'e.f/.g.jpg']
    write_split(tmp_path, train=[[name, 0, 'cat'] for name in names])
    dataset = CoOpSplit(data_root=str(tmp_path), split_file='split.json')
    assert paths(dataset) == [f'{tmp_path}/{name}' for name in names]


def test_images_that_are_in_training_and_test_are_warned_of(tmp_path, caplog):
    logger = MMLogger.get_current_instance()
    logger.addHandler(caplog.handler)
    both = [[f'{index}.jpg', 0, 'cat'] for index in range(7)]
    moved = [[f'./{path}', *rest] for path, *rest in both]
    write_split(tmp_path, train=both, test=[*moved, ['z.jpg', 0, 'cat']])
    arguments = dict(data_root=str(tmp_path), split_file='split.json')
    assert len(CoOpSplit(**arguments)) == 7
    assert caplog.text == ''
    assert len(CoOpSplit(split='test', **arguments)) == 8
    logger.removeHandler(caplog.handler)
    assert '7 images are for training (or validation) and for' in caplog.text
    assert '0.jpg, 1.jpg, 2.jpg, 3.jpg, 4.jpg, ….' in caplog.text


def test_missing_split_file_is_reported(tmp_path):
    with pytest.raises(FileNotFoundError) as error:
        CoOpSplit('dtd', str(tmp_path))
    assert str(tmp_path / 'dtd' / 'split_zhou') in str(error.value)
    assert f'prepare_dataset.py dtd --root {tmp_path}' in str(error.value)
    with pytest.raises(FileNotFoundError, match='Correct data_root'):
        CoOpSplit(data_root=str(tmp_path), split_file='split.json')


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (dict(name='DTD'), "name is 'DTD': choose one of caltech101"),
        (dict(), 'name is None and split_file is None'),
        (dict(name='dtd', split_file='a.json'), 'give one of them'),
        (dict(name='dtd', split='valid'), "split is 'valid': choose one"),
    ],
)
def test_contradictions_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        CoOpSplit(**arguments)


def test_unknown_class_in_aircrafts_form_is_refused(coop_data, tmp_path):
    shutil.copytree(coop_data / 'fgvc_aircraft', tmp_path / 'fgvc_aircraft')
    file = tmp_path / 'fgvc_aircraft' / 'images_variant_train.txt'
    file.write_text(file.read_text() + '123 Paper plane\n')
    with pytest.raises(ValueError, match="line 301, has the class 'Paper pl"):
        CoOpSplit('fgvc_aircraft', str(tmp_path))
