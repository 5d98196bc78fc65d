import pytest

from mmcoop.datasets import FewShot, ImageNet


@pytest.fixture
def data_root(tmp_path):
    """An ImageNet of one file per class, whose content does not matter."""
    for split in ('train', 'val'):
        for label in range(1000):
            folder = tmp_path / split / f'n{label:08d}'
            folder.mkdir(parents=True)
            (folder / f'{split}.JPEG').touch()
    return tmp_path


def test_reads_folders_in_imagenets_layout(data_root):
    dataset = ImageNet(data_root=str(data_root), split='val')
    assert dataset.get_gt_labels().tolist() == list(range(1000))
    assert len(dataset.metainfo['classes']) == 1000


@pytest.mark.parametrize('split', ['train', 'val'])
def test_missing_data_root_is_reported(tmp_path, split):
    root = tmp_path / 'nowhere'
    with pytest.raises(FileNotFoundError) as error:
        ImageNet(data_root=str(root), split=split)
    message = str(error.value)
    assert f'{root / split} does not exist' in message
    assert f'data_root={str(root)!r}' in message
    assert 'https://www.image-net.org' in message


def test_few_shot_passes_the_report_on(tmp_path):
    config = dict(
        type='mmcoop.ImageNet', data_root=str(tmp_path), split='train'
    )
    with pytest.raises(FileNotFoundError, match=r'www\.image-net\.org'):
        FewShot(config)
