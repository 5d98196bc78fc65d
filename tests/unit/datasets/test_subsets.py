"""Parts of a data set, as mmpretrain's KFoldDataset takes them."""

import pytest

from mmcoop import datasets
from mmcoop.datasets.subsets import CopiedSubsets


def transforms(dataset):
    return dataset.pipeline.transforms


def test_subsets_have_copies_of_their_own(tmp_path):
    dataset = datasets.Emoji(
        data_root=str(tmp_path / 'emoji'),
        split='test',
        pipeline=[dict(type='CenterCrop', crop_size=8)],
    )
    first = dataset.get_subset([0, 1])
    transforms(dataset)[0].crop_size = 9
    # Not what was copied before, from what lies at the same address
    second = dataset.get_subset([0, 1])
    assert transforms(second)[0] is not transforms(first)[0]
    assert transforms(second)[0].crop_size == 9
    assert len(second) == 2


@pytest.mark.parametrize(
    'name', ['CoOpSplit', 'Emoji', 'ImageNet', 'ImageNetVariant', 'OwnImages']
)
def test_every_data_set_makes_such_copies(name):
    assert issubclass(getattr(datasets, name), CopiedSubsets)
