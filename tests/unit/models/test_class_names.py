import pytest

from mmcoop.models.class_names import resolve_class_names


def test_list():
    assert resolve_class_names(['dog', 'cat']) == ('dog', 'cat')


def test_known_sets():
    imagenet = resolve_class_names('imagenet')
    assert len(imagenet) == 1000
    assert imagenet[0] == 'tench'
    assert imagenet.count('missile') == 2
    # Given as a list, they are the same names.
    assert resolve_class_names(list(imagenet)) == imagenet
    assert len(resolve_class_names('emoji')) == 40


def test_text_file(tmp_path):
    file = tmp_path / 'names.txt'
    file.write_text('\ufeffcrème brûlée\nhot dog\n\n', encoding='utf-8')
    assert resolve_class_names(str(file)) == ('crème brûlée', 'hot dog')


def test_data_set(tmp_path):
    for name in ('cat', 'dog'):
        (tmp_path / name).mkdir()
        (tmp_path / name / '1.png').write_bytes(b'')
    config = dict(type='mmpretrain.CustomDataset', data_prefix=str(tmp_path))
    assert resolve_class_names(config) == ('cat', 'dog')


@pytest.mark.parametrize(
    ('names', 'error', 'message'),
    [
        ([], ValueError, 'class_names is empty'),
        (['dog', ' '], ValueError, 'empty name for label 1'),
        (['dog', '_'], ValueError, 'empty name for label 1'),
        (
            ['hot_dog', 'cat', 'hot dog'],
            ValueError,
            r"'hot dog' for labels \[0, 2\]",
        ),
        (['missile', 'missile'], ValueError, 'for several labels'),
        (['dog', 3], TypeError, 'has 3, a int, for label 1'),
        (7, TypeError, 'is a int'),
        ('imagnet', FileNotFoundError, "Did you mean 'imagenet'"),
    ],
)
def test_bad_names(names, error, message):
    with pytest.raises(error, match=message):
        resolve_class_names(names)


def test_bad_text_file(tmp_path):
    file = tmp_path / 'names.txt'
    file.write_text('dog\n\ncat\n')
    with pytest.raises(ValueError, match=r'names.txt has an empty name'):
        resolve_class_names(str(file))
    file.write_bytes('crème'.encode('latin-1'))
    with pytest.raises(ValueError, match='is not UTF-8'):
        resolve_class_names(str(file))
