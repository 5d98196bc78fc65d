import hashlib
import json
import logging
import pickle
import random
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mmengine.registry import DefaultScope
from mmpretrain.datasets import BaseDataset, CustomDataset, build_dataset
from PIL import Image
from torch.utils.data import DataLoader

from mmcoop.datasets import FewShot, few_shot_indices
from mmcoop.registry import DATASETS

SPLITS = Path(__file__).parents[4] / 'shared' / 'splits'
PIPELINE = [dict(type='mmcoop.LoadImageFromFile'), dict(type='PackInputs')]


class Listed(BaseDataset):
    """A data set whose entries are given."""

    def __init__(self, infos, **kwargs):
        self.infos = infos
        super().__init__(ann_file='', **kwargs)

    def load_data_list(self):
        return self.infos


def listed(labels, **kwargs):
    infos = [
        dict(img_path=f'{index}.png', gt_label=label)
        for index, label in enumerate(labels)
    ]
    return Listed(infos, **kwargs)


def paths(dataset):
    return [
        dataset.get_data_info(index)['img_path']
        for index in range(len(dataset))
    ]


@pytest.fixture
def folders(tmp_path):
    """Images of three classes: 6, 4 and 5 of them."""
    for name, count in dict(ant=6, bee=4, cat=5).items():
        (tmp_path / name).mkdir()
        for index in range(count):
            image = Image.effect_noise((8, 8), 64).convert('RGB')
            image.save(tmp_path / name / f'{index}.png')
    return tmp_path


def folder_config(folders, **kwargs):
    return dict(
        type='mmpretrain.CustomDataset',
        data_root=str(folders),
        pipeline=PIPELINE,
        **kwargs,
    )


# ---- Which images are drawn


def published_shots():
    if not SPLITS.is_dir():
        return []
    expected = json.loads((SPLITS / 'expected_shots.json').read_text())
    return [
        pytest.param(
            content['split_file'],
            shots,
            id=f'{name}-{shots["num_shots"]}shot-seed{shots["seed"]}',
        )
        for name, content in expected.items()
        for shots in content['shots']
    ]


def sha256(drawn):
    return hashlib.sha256('\n'.join(drawn).encode()).hexdigest()


@pytest.mark.skipif(not SPLITS.is_dir(), reason='needs the published splits')
@pytest.mark.parametrize(('split_file', 'expected'), published_shots())
def test_draws_the_published_shots(split_file, expected):
    split = json.loads((SPLITS / split_file).read_text())
    num_shots, seed = expected['num_shots'], expected['seed']
    infos = [
        dict(img_path=path, gt_label=label)
        for path, label, _ in split['train']
    ]
    drawn = paths(FewShot(Listed(infos), num_shots=num_shots, seed=seed))
    assert sha256(drawn) == expected['train_sha256']
    assert len(drawn) == expected['num_train']
    assert drawn == expected.get('train', drawn)

    # Validation images come from what is left of the same stream.
    rng = random.Random(seed)
    few_shot_indices([label for _, label, _ in split['train']], num_shots, rng)
    indices = few_shot_indices(
        [label for _, label, _ in split['val']], min(num_shots, 4), rng
    )
    drawn = [split['val'][index][0] for index in indices]
    assert sha256(drawn) == expected['val_sha256']
    assert drawn == expected.get('val', drawn)


def test_all_published_combinations_are_tested():
    assert len(published_shots()) in (0, 45)


@given(
    labels=st.lists(st.integers(0, 5), max_size=60),
    num_shots=st.integers(1, 12),
    seed=st.integers(0, 2**32),
)
def test_follows_the_rule_on_the_global_stream(labels, num_shots, seed):
    random.seed(seed)
    expected = []
    for label in dict.fromkeys(labels):
        items = [i for i, other in enumerate(labels) if other == label]
        if len(items) >= num_shots:
            items = random.sample(items, num_shots)
        expected.extend(items)
    rng = random.Random(seed)
    assert few_shot_indices(labels, num_shots, rng) == expected
    assert rng.random() == random.random()


def test_minus_one_takes_everything_in_order():
    labels = [2, 0, 1, 0, 2, 2]
    dataset = FewShot(listed(labels), num_shots=-1)
    assert dataset.get_gt_labels().tolist() == labels
    assert paths(dataset) == [f'{index}.png' for index in range(6)]


def test_neither_uses_nor_moves_the_global_random_state():
    base = listed([0, 1] * 50)
    first = paths(FewShot(base, num_shots=5, seed=3))
    random.seed(123)
    np.random.seed(123)
    states = random.getstate(), np.random.get_state()[1].tolist()
    assert paths(FewShot(base, num_shots=5, seed=3)) == first
    assert random.getstate() == states[0]
    assert np.random.get_state()[1].tolist() == states[1]
    assert paths(FewShot(base, num_shots=5, seed=4)) != first


# ---- A data set like any other


def test_draws_from_a_folder_per_class(folders):
    config = dict(
        type='mmcoop.FewShot',
        dataset=folder_config(folders),
        num_shots=3,
        seed=2,
    )
    dataset = DATASETS.build(config)
    assert dataset.metainfo['classes'] == ('ant', 'bee', 'cat')
    assert dataset.CLASSES == ('ant', 'bee', 'cat')
    assert len(dataset) == 9
    assert dataset.get_gt_labels().tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    assert dataset.get_gt_labels().dtype == np.int64
    assert dataset.get_cat_ids(4) == [1]
    assert len({*paths(dataset)}) == 9
    for index in range(9):
        sample = dataset[index]['data_samples']
        info = dataset.get_data_info(index)
        assert sample.img_path == info['img_path']
        assert sample.sample_idx == info['sample_idx']
        assert sample.gt_label.tolist() == dataset.get_cat_ids(index)
        assert Path(sample.img_path).parent.name in ['ant', 'bee', 'cat']
    assert len(list(dataset)) == 9
    assert 'num_shots=3, seed=2' in repr(dataset)


def test_lazy_init_draws_on_first_use(folders):
    config = folder_config(folders, lazy_init=True)
    lazy = FewShot(config, num_shots=2, lazy_init=True)
    assert not lazy.dataset._fully_initialized
    assert len(lazy) == 6
    assert lazy.metainfo['classes'] == ('ant', 'bee', 'cat')
    assert paths(lazy) == paths(FewShot(config, num_shots=2))


def test_survives_pickling_and_workers(folders):
    dataset = FewShot(folder_config(folders), num_shots=4)
    copy = pickle.loads(pickle.dumps(dataset))
    assert paths(copy) == paths(dataset)
    loader = DataLoader(
        dataset, num_workers=2, collate_fn=lambda samples: samples[0]
    )
    seen = [sample['data_samples'].img_path for sample in loader]
    assert seen == paths(dataset)


def test_pipeline_can_be_replaced_as_browse_dataset_does(folders):
    dataset = build_dataset(
        dict(
            type='mmcoop.FewShot', dataset=folder_config(folders), num_shots=1
        )
    )
    assert len(dataset.pipeline.transforms) == len(PIPELINE)
    dataset.pipeline = lambda info: info['gt_label']
    assert list(dataset) == [0, 1, 2]


def test_draws_from_wrappers(folders):
    config = folder_config(folders)
    plain = FewShot(config, num_shots=2)
    assert paths(FewShot(plain, num_shots=-1)) == paths(plain)

    fold = dict(type='KFoldDataset', dataset=config, num_splits=3, seed=0)
    assert FewShot(fold, num_shots=1).get_gt_labels().size == 3

    repeated = dict(
        type='RepeatDataset',
        times=2,
        dataset=dict(type='mmcoop.FewShot', dataset=config, num_shots=2),
    )
    # Wrappers of mmengine look in the scope that a config declares.
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        assert paths(DATASETS.build(repeated)) == 2 * paths(plain)


def test_draws_from_concatenated_data_sets(folders, tmp_path_factory):
    more = tmp_path_factory.mktemp('more')
    for name in ('ant', 'bee', 'cat'):
        (more / name).mkdir()
        Image.new('RGB', (8, 8)).save(more / name / 'new.png')
    parts = [folder_config(folders), folder_config(more)]
    dataset = FewShot(dict(type='ConcatDataset', datasets=parts), num_shots=5)
    assert Counter(dataset.get_gt_labels().tolist()) == {0: 5, 1: 5, 2: 5}
    assert sum(path.endswith('new.png') for path in paths(dataset)) >= 1
    samples = [dataset[index]['data_samples'] for index in range(15)]
    assert [sample.img_path for sample in samples] == paths(dataset)


def test_takes_a_built_data_set(folders):
    built = CustomDataset(data_root=str(folders), pipeline=PIPELINE)
    config = folder_config(folders)
    assert paths(FewShot(built)) == paths(FewShot(config))


# ---- What can be wrong


@pytest.mark.parametrize('num_shots', [0, -2])
def test_num_shots_out_of_range_is_refused(num_shots):
    with pytest.raises(ValueError, match=f'num_shots is {num_shots}: give'):
        FewShot(listed([0]), num_shots=num_shots)


@pytest.mark.parametrize('value', [1.0, '16', None, True])
@pytest.mark.parametrize('name', ['num_shots', 'seed'])
def test_number_of_another_type_is_refused(name, value):
    with pytest.raises(TypeError, match=f'{name} is {value!r}, a'):
        FewShot(listed([0]), **{name: value})


def test_negative_seed_is_refused():
    with pytest.raises(ValueError, match='seed is -1: give a number from 0'):
        FewShot(listed([0]), seed=-1)


@pytest.mark.parametrize('dataset', [[1, 2], 'CustomDataset', None])
def test_something_else_than_a_data_set_is_refused(dataset):
    with pytest.raises(TypeError, match='without metainfo, full_init'):
        FewShot(dataset)


def test_class_without_image_is_refused_by_name():
    classes = ('ant', 'bee', 'cat', 'dog')
    with pytest.raises(ValueError, match=r"2 of 4.*no image: 'bee', 'dog'"):
        FewShot(listed([0, 2, 2], classes=classes), num_shots=1)


def test_empty_folder_is_refused_by_name(folders):
    (folders / 'dog').mkdir()
    with pytest.raises(ValueError, match=r"1 of 4 classes .* image: 'dog'"):
        FewShot(folder_config(folders), num_shots=1)


def test_long_lists_of_classes_are_cut():
    classes = [f'class{index:03d}' for index in range(101)]
    with pytest.raises(
        ValueError, match=r"100 of 101.*'class020' and 80 more"
    ):
        FewShot(listed([0], classes=classes), num_shots=1)


def test_fewer_images_than_shots_are_all_taken_with_a_warning(folders, log):
    dataset = FewShot(folder_config(folders), num_shots=5)
    assert Counter(dataset.get_gt_labels().tolist()) == {0: 5, 1: 4, 2: 5}
    (record,) = log.records
    assert record.levelno == logging.WARNING
    assert '1 of 3 classes have fewer images' in record.message
    assert record.message.endswith("taken: 'bee' (4).")


def test_enough_images_give_no_warning(folders, log):
    FewShot(folder_config(folders), num_shots=4)
    FewShot(folder_config(folders), num_shots=-1)
    assert log.records == []


@pytest.mark.parametrize('label', [3, 1000])
def test_label_outside_the_class_names_is_refused(label):
    base = listed([0, 1, 2, label], classes=('ant', 'bee', 'cat'))
    with pytest.raises(
        ValueError, match=rf'3\.png has label {label}, but there are 3 class'
    ):
        FewShot(base, num_shots=1)


def test_negative_label_is_refused():
    with pytest.raises(ValueError, match=r'1\.png has label -1, but labels'):
        FewShot(listed([0, -1]), num_shots=1)


@pytest.mark.parametrize('label', [[0, 1], None, 0.5, np.array([1, 0])])
def test_anything_but_one_label_is_refused(label):
    with pytest.raises(
        ValueError, match=r'1\.png has gt_label .*single-label'
    ):
        FewShot(listed([0, label]), num_shots=1)


def test_data_without_labels_are_refused(folders):
    with pytest.raises(ValueError, match=r'0\.png has gt_label None'):
        FewShot(folder_config(folders, with_label=False))


def test_image_drawn_twice_is_refused(folders):
    config = dict(
        type='RepeatDataset', dataset=folder_config(folders), times=3
    )
    with pytest.raises(ValueError, match=r'\.png was drawn \d times'):
        FewShot(config, num_shots=12)


@pytest.mark.parametrize('lazy_init', [False, True])
@pytest.mark.parametrize('kind', ['CustomDataset', 'mmpretrain.ImageNet'])
def test_missing_data_root_is_reported(tmp_path, kind, lazy_init):
    root = tmp_path / 'nowhere'
    config = dict(
        type=kind,
        data_root=str(root),
        data_prefix='train',
        lazy_init=lazy_init,
    )
    with pytest.raises(FileNotFoundError) as error:
        FewShot(config)
    message = str(error.value)
    assert kind.split('.')[-1] in message
    assert f'data_root={str(root)!r}' in message
    assert f'looked for {root / "train"}, which does not exist' in message
    assert 'DATA_ROOT/DATA_PREFIX/CLASS/IMAGE' in message


def test_missing_annotation_file_is_reported(folders):
    config = folder_config(folders, ann_file='train.txt')
    with pytest.raises(FileNotFoundError, match=r'train\.txt, which does not'):
        FewShot(config)


def test_relative_path_is_reported_in_full(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileNotFoundError) as error:
        FewShot(dict(type='CustomDataset', data_root='nowhere'))
    assert str(tmp_path / 'nowhere') in str(error.value)


@pytest.mark.parametrize('loader', ['mmcoop.LoadImageFromFile', 'pillow'])
def test_unreadable_image_is_named(folders, loader):
    if loader == 'pillow':
        step = dict(type='LoadImageFromFile', imdecode_backend='pillow')
    else:
        step = dict(type=loader)
    for path in folders.glob('bee/*.png'):
        path.write_bytes(path.read_bytes()[:80])
    config = folder_config(folders) | dict(pipeline=[step])
    dataset = FewShot(config, num_shots=1)
    assert dataset[0]['img'].shape == (8, 8, 3)
    with pytest.raises((OSError, RuntimeError)) as error:
        dataset[1]
    assert str(error.value).count(paths(dataset)[1]) == 1
    with pytest.raises((OSError, RuntimeError), match=r'bee.*\.png') as error:
        list(DataLoader(dataset, num_workers=1, collate_fn=len))
    # The loader goes at once: as garbage it waits five seconds for a worker
    # that it can no longer reach.
    error.value.__traceback__ = None
    del error


@pytest.mark.parametrize('wrapped', [False, True])
def test_unprepared_sample_is_never_replaced_by_another(folders, wrapped):
    for path in folders.glob('bee/*.png'):
        path.write_bytes(b'')
    step = dict(type='LoadImageFromFile', ignore_empty=True)
    config = folder_config(folders) | dict(pipeline=[step])
    if wrapped:
        config = dict(type='ConcatDataset', datasets=[config])
    dataset = FewShot(config, num_shots=1)
    with pytest.raises(
        RuntimeError, match=r'bee.*\.png could not be prepared'
    ):
        dataset[1]
