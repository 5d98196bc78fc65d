import pytest
from PIL import Image

from mmcoop.datasets import BaseNew, FewShot, classes_of_part
from mmcoop.registry import DATASETS

NAMES = ('ant', 'bee', 'cat', 'dog', 'eel')


@pytest.fixture
def config(tmp_path):
    for name in NAMES:
        (tmp_path / name).mkdir()
        for index in range(4):
            Image.new('RGB', (8, 8)).save(tmp_path / name / f'{index}.png')
    return dict(
        type='mmpretrain.CustomDataset',
        data_root=str(tmp_path),
        pipeline=[
            dict(type='mmcoop.LoadImageFromFile'),
            dict(type='PackInputs'),
        ],
    )


def paths(dataset):
    return [dataset.get_data_info(i)['img_path'] for i in range(len(dataset))]


@pytest.mark.parametrize(
    ('num_classes', 'base', 'new'),
    [(5, [0, 1, 2], [3, 4]), (4, [0, 1], [2, 3]), (1, [0], [])],
)
def test_base_has_the_middle_class(num_classes, base, new):
    assert list(classes_of_part(num_classes, 'base')) == base
    assert list(classes_of_part(num_classes, 'new')) == new


def test_new_classes_are_counted_from_0(config):
    new = DATASETS.build(
        dict(type='mmcoop.BaseNew', dataset=config, part='new')
    )
    assert new.CLASSES == new.metainfo['classes'] == ('dog', 'eel')
    assert [new.get_cat_ids(i)[0] for i in range(len(new))] == [0] * 4 + [
        1
    ] * 4
    samples = [new[index]['data_samples'] for index in range(len(new))]
    assert [int(sample.gt_label) for sample in samples] == [0] * 4 + [1] * 4
    assert [sample.img_path for sample in samples] == paths(new)
    assert all('dog' in path for path in paths(new)[:4])


def test_base_shots_are_those_drawn_from_all_classes(config):
    shots = FewShot(config, num_shots=2, seed=3)
    base = BaseNew(shots, 'base')
    assert paths(base) == paths(shots)[:6]
    assert paths(BaseNew(shots, 'new')) == paths(shots)[6:]


def test_lazy_init_lists_on_first_use(config):
    lazy = BaseNew(dict(config, lazy_init=True), 'base', lazy_init=True)
    assert not lazy._fully_initialized
    assert len(lazy) == 12


def test_unknown_part_is_refused(config):
    with pytest.raises(ValueError, match="part is 'all': choose 'base' or"):
        BaseNew(config, 'all')


def test_data_without_class_names_are_refused(config):
    config = dict(config, with_label=False)
    with pytest.raises(ValueError, match='CustomDataset has no class names'):
        BaseNew(config)
