import json

import pytest

from mmcoop.datasets import OwnImages


@pytest.fixture
def folder(tmp_path):
    """Ten cats and three dogs."""
    for name, count in dict(cat=10, dog=3).items():
        (tmp_path / 'mine' / name).mkdir(parents=True)
        for index in range(count):
            (tmp_path / 'mine' / name / f'{index}.jpg').touch()
    (tmp_path / 'mine' / 'cat' / 'notes.txt').touch()
    (tmp_path / 'mine' / 'README').touch()
    return tmp_path / 'mine'


def paths(dataset):
    return [dataset.get_data_info(i)['img_path'] for i in range(len(dataset))]


def both(source, **kwargs):
    return [
        OwnImages(str(source), split, **kwargs) for split in ('train', 'test')
    ]


def test_folder_per_class_is_divided_once_and_for_all(folder):
    train, test = both(folder)
    assert train.metainfo['classes'] == ('cat', 'dog')
    assert train.get_gt_labels().tolist() == [0] * 8 + [1] * 2
    assert test.get_gt_labels().tolist() == [0] * 2 + [1]
    assert not set(paths(train)) & set(paths(test))
    assert len({*paths(train), *paths(test)}) == 13
    again, _ = both(folder)
    assert paths(again) == paths(train)
    train, test = both(folder, test_share=0.5)
    assert len(test) == 5 + 2


def test_folders_of_train_and_test_are_taken_as_they_are(folder, tmp_path):
    (tmp_path / 'all').mkdir()
    folder.rename(tmp_path / 'all' / 'train')
    (tmp_path / 'all' / 'test' / 'dog').mkdir(parents=True)
    (tmp_path / 'all' / 'test' / 'dog' / 'x.png').touch()
    train, test = both(tmp_path / 'all')
    assert len(train) == 13
    assert test.get_gt_labels().tolist() == [1]
    assert test.metainfo['classes'] == ('cat', 'dog')


def test_csv(tmp_path):
    lines = ['path,label'] + [f'{i}.jpg,"cat, tabby"' for i in range(5)]
    (tmp_path / 'a.csv').write_text('\n'.join([*lines, 'x/d.jpg,dog'] * 1))
    train, test = both(tmp_path / 'a.csv')
    assert train.metainfo['classes'] == ('cat, tabby', 'dog')
    assert len(test) == 2
    found = {*paths(train), *paths(test)}
    assert str(tmp_path / 'x' / 'd.jpg') in found
    assert len(found) == 6


def test_csv_that_tells_the_split(tmp_path):
    text = 'path,label,split\na,x,train\nb,y,test\nc,y,train\n'
    (tmp_path / 'a.csv').write_text(text)
    train, test = both(tmp_path / 'a.csv')
    assert train.get_gt_labels().tolist() == [0, 1]
    assert paths(test) == [str(tmp_path / 'b')]


def test_coops_json(tmp_path):
    content = dict(
        train=[['a', 1, 'hen'], ['b', 0, 'owl']],
        val=[],
        test=[['c', 0, 'owl']],
    )
    (tmp_path / 'a.json').write_text(json.dumps(content))
    train, test = both(tmp_path / 'a.json')
    assert train.metainfo['classes'] == ('hen', 'owl')
    assert test.get_gt_labels().tolist() == [1]


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('file,class\na,b\n', 'has the head line .*file.*Wanted: a folder'),
        ('path,label\na,\n', "line 2, has path 'a' and label ''"),
        ('path,label,split\na,x,test\n', "no images for 'train': 1 in all"),
        ('path,label\n', "no images for 'train': 0 in all"),
    ],
)
def test_other_csv_is_refused(tmp_path, text, message):
    (tmp_path / 'a.csv').write_text(text)
    with pytest.raises(ValueError, match=message):
        OwnImages(str(tmp_path / 'a.csv'))


def test_missing_source_is_reported(tmp_path):
    with pytest.raises(FileNotFoundError, match='There is no .*nowhere'):
        OwnImages(str(tmp_path / 'nowhere'))


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (dict(split='val'), "split is 'val': choose"),
        (dict(test_share=0), 'test_share is 0: give a number between'),
        (dict(test_share=20), 'test_share is 20: give'),
    ],
)
def test_arguments_are_checked(folder, arguments, message):
    with pytest.raises(ValueError, match=message):
        OwnImages(str(folder), **arguments)
