import shutil

import open_clip
import pytest

from mmcoop.datasets import IMAGENET_VARIANTS, ImageNetVariant
from mmcoop.datasets.imagenet_variants import class_folders


@pytest.mark.parametrize('name', IMAGENET_VARIANTS)
def test_reads_every_variant_in_its_layout(coop_data, name):
    facts = IMAGENET_VARIANTS[name]
    dataset = ImageNetVariant(name, str(coop_data))
    assert dataset.get_gt_labels().tolist() == list(range(facts.num_classes))
    assert len(dataset.metainfo['classes']) == facts.num_classes


def test_numbered_folders_are_not_sorted_as_text(coop_data):
    dataset = ImageNetVariant('imagenetv2', str(coop_data))
    info = dataset.get_data_info(2)
    assert info['img_path'].endswith('-val/2/image.JPEG')
    assert info['gt_label'] == 2


@pytest.mark.parametrize('name', ['imagenet_a', 'imagenet_r'])
def test_names_of_200_classes_are_those_of_their_folders(coop_data, name):
    wnids = class_folders('imagenet_sketch')
    name_of = dict(zip(wnids, open_clip.IMAGENET_CLASSNAMES, strict=True))
    dataset = ImageNetVariant(name, str(coop_data))
    names = tuple(name_of[wnid] for wnid in class_folders(name))
    assert dataset.metainfo['classes'] == names
    assert len(set(names)) == 200


def test_unknown_name_is_refused():
    with pytest.raises(ValueError, match="name is 'imagenet_c': choose one"):
        ImageNetVariant('imagenet_c')


def test_missing_folder_is_reported(tmp_path):
    with pytest.raises(
        FileNotFoundError, match='prepare_dataset.py imagenetv2'
    ):
        ImageNetVariant('imagenetv2', str(tmp_path))


def test_other_class_folders_are_refused(coop_data, tmp_path):
    folder = tmp_path / 'imagenet-rendition'
    shutil.copytree(coop_data / 'imagenet-rendition', folder)
    shutil.rmtree(folder / 'imagenet-r' / 'n01443537')
    (folder / 'imagenet-r' / 'cats').mkdir()
    with pytest.raises(ValueError, match='1 are missing .n01443537') as error:
        ImageNetVariant('imagenet_r', str(tmp_path))
    assert '1 are no class (cats)' in str(error.value)
