import pytest
from mmengine.registry import DefaultScope
from PIL import Image

from mmcoop.datasets import Unknown
from mmcoop.registry import DATASETS


@pytest.fixture
def folder(tmp_path):
    for name in ('ant', 'bee'):
        (tmp_path / name).mkdir()
        for index in range(2):
            Image.new('RGB', (8, 8)).save(tmp_path / name / f'{index}.png')
    return tmp_path


def config(folder, **options):
    return dict(
        type='mmpretrain.CustomDataset',
        data_root=str(folder),
        pipeline=[
            dict(type='mmcoop.LoadImageFromFile'),
            dict(type='PackInputs'),
        ],
        **options,
    )


@pytest.mark.parametrize('with_label', [True, False])
def test_every_label_is_below_0(folder, with_label):
    dataset = DATASETS.build(
        dict(
            type='mmcoop.Unknown',
            dataset=config(folder, with_label=with_label),
        )
    )
    assert len(dataset) == 4
    for index in range(4):
        assert dataset.get_data_info(index)['gt_label'] == -1
        assert dataset.get_cat_ids(index) == [-1]
        sample = dataset[index]['data_samples']
        assert sample.gt_label.tolist() == [-1]
        assert sample.img_path == dataset.get_data_info(index)['img_path']


def test_stands_beside_known_images(folder):
    known = config(folder, metainfo=dict(classes=['ant', 'bee']))
    unknown = dict(type='mmcoop.Unknown', dataset=config(folder))
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        both = DATASETS.build(
            dict(
                type='ConcatDataset',
                datasets=[known, unknown],
                ignore_keys=['classes'],
            )
        )
    labels = [int(both[i]['data_samples'].gt_label) for i in range(len(both))]
    assert labels == [0, 0, 1, 1, -1, -1, -1, -1]
    assert list(both.metainfo['classes']) == ['ant', 'bee']


@pytest.mark.parametrize('build', [dict, DATASETS.build])
def test_no_images_are_refused(folder, build):
    empty = build(config(folder, indices=[], lazy_init=build is not dict))
    with pytest.raises(ValueError, match='lists no images to be unknown'):
        Unknown(empty)


def test_lazy_init_lists_on_first_use(folder):
    lazy = Unknown(config(folder, lazy_init=True), lazy_init=True)
    assert not lazy._fully_initialized
    assert len(lazy) == 4
