"""Kept features: what is written, what is used, and what is refused."""

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.registry import init_default_scope
from PIL import Image
from torch import nn
from torch.utils.data import DataLoader

from mmcoop.datasets import (
    UnusableFeaturesError,
    feature_origin,
    keep_features,
)
from mmcoop.registry import DATASETS, MODELS

NUM_IMAGES = 10
BATCH_SIZE = 4


@MODELS.register_module(name='TestTower', force=True)
class Tower(nn.Module):
    """Four numbers per image, without any CLIP."""

    calls = 0

    def __init__(self, weight=1.0, activation='ReLU', dtype='float32'):
        super().__init__()
        self.activation = getattr(nn, activation)()
        self.dtype = getattr(torch, dtype)
        numbers = torch.arange(1.0, 5.0) * weight
        self.register_buffer('weight', numbers, persistent=False)

    def forward(self, images):
        type(self).calls += 1
        means = images.mean(dim=(1, 2, 3))[:, None]
        features = self.activation(means * self.weight).to(self.dtype)
        return (features,)


@pytest.fixture(autouse=True)
def _scope():
    init_default_scope('mmpretrain')
    Tower.calls = 0


@pytest.fixture
def images(tmp_path):
    """A folder of noise in two classes."""
    rng = np.random.default_rng(0)
    for index in range(NUM_IMAGES):
        folder = tmp_path / 'images' / f'class{index % 2}'
        folder.mkdir(parents=True, exist_ok=True)
        pixels = rng.integers(0, 256, (12, 12, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f'{index}.bmp')
    return tmp_path / 'images'


@pytest.fixture
def cfg(tmp_path, images):
    """The config of features of three views of these images."""
    pipeline = [
        dict(type='mmcoop.LoadImageFromFile'),
        dict(type='RandomResizedCrop', scale=8, backend='pillow'),
        dict(type='RandomFlip', prob=0.5),
        dict(type='PackInputs'),
    ]
    dataset = dict(
        type='CustomDataset',
        data_root=str(images),
        pipeline=pipeline,
        serialize_data=False,
    )
    return dict(
        type='mmcoop.CachedFeatures',
        path=str(tmp_path / 'kept' / 'train'),
        dataset=dataset,
        image_model=dict(
            data_preprocessor=dict(mean=[1.0] * 3, std=[2.0] * 3),
            backbone=dict(type='mmcoop.TestTower'),
        ),
        num_views=3,
    )


def keep(cfg, num_workers=0):
    features = DATASETS.build(dict(cfg, lazy_init=True))
    return keep_features(features, BATCH_SIZE, num_workers)


def matrix(cfg):
    return np.load(cfg['path'] + '.npy', allow_pickle=False)


def test_gives_what_the_tower_gives(cfg):
    cfg['num_views'] = 1
    cfg['dataset']['pipeline'] = [
        dict(type='mmcoop.LoadImageFromFile'),
        dict(type='PackInputs'),
    ]
    assert keep(cfg)
    features = DATASETS.build(cfg)
    images = DATASETS.build(cfg['dataset'])
    tower = Tower()
    assert len(features) == NUM_IMAGES
    assert features.metainfo == images.metainfo
    assert features.CLASSES == ('class0', 'class1')
    for index in range(NUM_IMAGES):
        image, feature = images[index], features[index]
        expected = tower((image['inputs'].float() - 1)[None] / 2)[0][0]
        torch.testing.assert_close(feature['inputs'], expected)
        sample, wanted = feature['data_samples'], image['data_samples']
        assert sample.gt_label == wanted.gt_label
        assert sample.img_path == wanted.img_path
        assert features.get_cat_ids(index) == [int(wanted.gt_label)]
        assert features.get_data_info(index)['img_path'] == sample.img_path


def test_is_left_alone_when_up_to_date(cfg):
    assert keep(cfg)
    calls = Tower.calls
    assert not keep(cfg)
    assert Tower.calls == calls


def test_views_depend_on_seed_view_and_image_alone(cfg, tmp_path):
    keep(cfg)
    views = matrix(cfg)
    assert views.shape == (3, NUM_IMAGES, 4)
    assert len(np.unique(views[..., 0])) == 3 * NUM_IMAGES

    by_workers = dict(cfg, path=str(tmp_path / 'kept' / 'by_workers'))
    keep(by_workers, num_workers=2)
    np.testing.assert_array_equal(matrix(by_workers), views)

    more = dict(cfg, path=str(tmp_path / 'kept' / 'more'), num_views=5)
    keep(more)
    np.testing.assert_array_equal(matrix(more)[:3], views)

    other = dict(cfg, path=str(tmp_path / 'kept' / 'other'), seed=2)
    keep(other)
    assert not np.isin(matrix(other), views).any()


def test_every_epoch_shows_another_view(cfg, message_hub):
    keep(cfg)
    views = matrix(cfg)
    features = DATASETS.build(dict(cfg, num_views=2))
    for epoch, view in ((0, 0), (1, 1), (2, 0), (7, 1)):
        message_hub.update_info('epoch', epoch)
        got = np.stack([features[i]['inputs'] for i in range(NUM_IMAGES)])
        np.testing.assert_array_equal(got, views[view])


def test_a_worker_does_not_know_the_epoch(cfg):
    keep(cfg)
    loader = DataLoader(DATASETS.build(cfg), num_workers=1)
    with pytest.raises(RuntimeError, match='mmcoop.EpochSampler'):
        next(iter(loader))
    one = DATASETS.build(dict(cfg, num_views=1))
    loader = DataLoader(one, num_workers=1, collate_fn=list)
    np.testing.assert_array_equal(
        next(iter(loader))[0]['inputs'], matrix(cfg)[0, 0]
    )


@pytest.mark.parametrize('dtype', ['float16', 'bfloat16'])
def test_half_precision_loses_nothing(cfg, dtype):
    cfg['image_model']['backbone']['dtype'] = dtype
    keep(cfg)
    kept = 'float16' if dtype == 'float16' else 'float32'
    assert matrix(cfg).dtype == kept
    feature = DATASETS.build(cfg)[0]['inputs']
    half = feature.to(getattr(torch, dtype))
    torch.testing.assert_close(half.to(feature.dtype), feature, rtol=0, atol=0)


def _another_image(cfg):
    path = next(Path(cfg['dataset']['data_root']).glob('*/3.bmp'))
    content = bytearray(path.read_bytes())
    content[-1] ^= 255
    path.write_bytes(content)


def _one_image_less(cfg):
    next(Path(cfg['dataset']['data_root']).glob('*/3.bmp')).unlink()


def _another_label(cfg):
    root = Path(cfg['dataset']['data_root'])
    shutil.move(root / 'class1' / '9.bmp', root / 'class0' / '9.bmp')


def _other_weights(cfg):
    cfg['image_model']['backbone']['weight'] = 1.5


def _other_activation(cfg):
    cfg['image_model']['backbone']['activation'] = 'GELU'


def _other_preprocessor(cfg):
    cfg['image_model']['data_preprocessor']['std'] = [2.0, 2.0, 2.5]


def _other_pipeline(cfg):
    cfg['dataset']['pipeline'][1]['scale'] = 9


def _one_step_less(cfg):
    del cfg['dataset']['pipeline'][2]


def _other_seed(cfg):
    cfg['seed'] = 3


def _more_views(cfg):
    cfg['num_views'] = 4


def _damaged_byte(cfg):
    file = Path(cfg['path'] + '.npy')
    content = bytearray(file.read_bytes())
    content[-6] ^= 1
    file.write_bytes(content)


def _cut_short(cfg):
    file = Path(cfg['path'] + '.npy')
    os.truncate(file, file.stat().st_size - 8)


def _pickled(cfg):
    np.save(cfg['path'] + '.npy', np.array([print], dtype=object))


def _another_matrix(cfg):
    np.save(cfg['path'] + '.npy', np.zeros((3, NUM_IMAGES, 5), 'float32'))


def _no_matrix(cfg):
    Path(cfg['path'] + '.npy').unlink()


def _no_header(cfg):
    Path(cfg['path'] + '.json').unlink()


def _half_a_header(cfg):
    file = Path(cfg['path'] + '.json')
    os.truncate(file, file.stat().st_size // 2)


def _later_format(cfg):
    file = Path(cfg['path'] + '.json')
    file.write_text(json.dumps(dict(json.loads(file.read_text()), format=9)))


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (_another_image, 'images, their labels or their order have changed'),
        (_one_image_less, 'there were 10 images, there are 9'),
        (_another_label, 'images, their labels or their order have changed'),
        (_other_weights, 'weights was .*, is '),
        (_other_activation, 'weights was .*, is '),
        (_other_preprocessor, r'data_preprocessor\.std\[2\] was 2.0, is 2.5'),
        (_other_pipeline, r'pipeline\[0\]\[1\]\.scale was 8, is 9'),
        (_one_step_less, r'pipeline\[0\]\[2\]\.type was \'RandomFlip\''),
        (_other_seed, 'seed was 1, is 3'),
        (_more_views, 'it has 3 views, but num_views is 4'),
        (_damaged_byte, 'train.npy is damaged: its checksums'),
        (_cut_short, 'train.npy is damaged'),
        (_pickled, 'train.npy is damaged'),
        (_another_matrix, 'its header says'),
        (_no_matrix, 'there are none at .*train.npy'),
        (_no_header, 'there are none at .*train.json'),
        (_half_a_header, 'train.json is damaged'),
        (_later_format, 'is not of format 1'),
    ],
)
def test_refuses_what_is_not_right_and_makes_it_anew(cfg, change, message):
    keep(cfg)
    change(cfg)
    with pytest.raises(UnusableFeaturesError, match=message) as caught:
        DATASETS.build(cfg)
    assert 'python tools/cache_features.py CONFIG' in str(caught.value)
    assert keep(cfg)
    assert len(DATASETS.build(cfg)) in (NUM_IMAGES, NUM_IMAGES - 1)


def test_accepts_images_that_were_moved(cfg, images, tmp_path):
    keep(cfg)
    moved = images.rename(tmp_path / 'moved')
    for file in moved.glob('*/*'):
        os.utime(file, (1, 1))
    cfg['dataset']['data_root'] = str(moved)
    features = DATASETS.build(cfg)
    assert features[0]['data_samples'].img_path.startswith(str(moved))
    assert not keep(cfg)


class KilledError(Exception):
    """Ends a run from outside, as it were."""


def keep_until(cfg, monkeypatch, num_batches):
    """Compute features, but die after some batches."""
    forward = Tower.forward

    def mortal(tower, images):
        if Tower.calls == num_batches:
            raise KilledError
        return forward(tower, images)

    with monkeypatch.context() as patch:
        patch.setattr(Tower, 'forward', mortal)
        with pytest.raises(KilledError):
            keep(cfg)
    Tower.calls = 0


@pytest.fixture
def expected(cfg, tmp_path):
    """What comes out when nothing interrupts."""
    keep(dict(cfg, path=str(tmp_path / 'kept' / 'expected')))
    calls, Tower.calls = Tower.calls, 0
    assert calls == 8  # 30 rows, 4 at a time
    return np.load(tmp_path / 'kept' / 'expected.npy')


def test_goes_on_after_a_kill(cfg, monkeypatch, expected):
    keep_until(cfg, monkeypatch, 5)
    with pytest.raises(UnusableFeaturesError, match='there are none'):
        DATASETS.build(cfg)
    # The kill came in the middle of a line.
    with open(cfg['path'] + '.journal', 'a') as journal:
        journal.write('0123')
    assert keep(cfg)
    assert Tower.calls == 3
    np.testing.assert_array_equal(matrix(cfg), expected)
    names = {file.name for file in Path(cfg['path']).parent.glob('train*')}
    assert names == {'train.npy', 'train.json'}


def test_goes_on_where_all_but_the_names_was_done(cfg, monkeypatch, expected):
    keep_until(cfg, monkeypatch, 7)
    monkeypatch.setattr('os.replace', _raise_killed)
    with pytest.raises(KilledError):
        keep(cfg)
    monkeypatch.undo()
    Tower.calls = 0
    keep(cfg)
    assert Tower.calls == 0
    np.testing.assert_array_equal(matrix(cfg), expected)


def _raise_killed(*args):
    raise KilledError


def test_checks_what_an_earlier_attempt_left(cfg, monkeypatch, expected):
    keep_until(cfg, monkeypatch, 5)
    with open(cfg['path'] + '.npy.part', 'r+b') as file:
        # Within the third of five blocks of 4 rows of 16 bytes
        file.seek(128 + 2 * 64 + 20)
        file.write(b'\x01')
    keep(cfg)
    assert Tower.calls == 6
    np.testing.assert_array_equal(matrix(cfg), expected)


def test_starts_anew_for_another_origin(cfg, monkeypatch, tmp_path):
    keep_until(cfg, monkeypatch, 5)
    cfg['seed'] = 2
    keep(cfg)
    assert Tower.calls == 8
    DATASETS.build(cfg)


def test_images_in_memory_count_by_their_pixels():
    one = [dict(img=np.zeros((2, 2, 3), 'uint8'), gt_label=0)]
    other = [dict(img=np.ones((2, 2, 3), 'uint8'), gt_label=0)]
    for fingerprint in (
        feature_origin.fingerprint_names,
        feature_origin.fingerprint_contents,
    ):
        assert fingerprint(one) == fingerprint(one)
        assert fingerprint(one) != fingerprint(other)


def test_a_tower_is_not_given_what_it_was_not_trained_on(cfg):
    clip = dict(name='embedded:tiny_clip', pretrained=None)
    cfg['image_model']['backbone'] = dict(type='mmcoop.CLIPVision', clip=clip)
    with pytest.raises(ValueError, match='data_preprocessor has mean='):
        keep(cfg)


def test_no_views_are_refused(cfg):
    with pytest.raises(ValueError, match='num_views is 0'):
        DATASETS.build(dict(cfg, num_views=0))
