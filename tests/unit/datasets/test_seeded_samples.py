"""What is random in a sample, whoever prepares it and when."""

import pickle
import random

import numpy as np
import pytest
import torch
from mmengine.dataset import DefaultSampler
from mmengine.registry import init_default_scope
from mmengine.runner import Runner
from PIL import Image
from torch.utils.data import Dataset

from mmcoop.datasets import EpochSampler, SampleIndex
from mmcoop.registry import DATA_SAMPLERS, DATASETS

NUM_IMAGES = 20
AUGMENT = [
    dict(type='mmcoop.LoadImageFromFile'),
    dict(type='RandomResizedCrop', scale=8, backend='pillow'),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackInputs'),
]


@DATASETS.register_module(name='TestDraws', force=True)
class Draws(Dataset):
    """Draws from all three generators that transforms use."""

    def __len__(self):
        return NUM_IMAGES

    def __getitem__(self, index):
        drawn = (random.random(), np.random.rand(), torch.rand(1).item())
        return dict(index=index, drawn=torch.tensor(drawn))


@pytest.fixture
def images(tmp_path):
    init_default_scope('mmpretrain')
    rng = np.random.default_rng(0)
    for index in range(NUM_IMAGES):
        folder = tmp_path / f'class{index % 2}'
        folder.mkdir(exist_ok=True)
        pixels = rng.integers(0, 256, (12, 12, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f'{index}.bmp')
    return dict(
        type='mmcoop.FewShot',
        num_shots=8,
        dataset=dict(
            type='CustomDataset', data_root=str(tmp_path), pipeline=AUGMENT
        ),
    )


def epochs(dataset, which, num_workers=0, persistent=False, **sampler):
    """The batches of some epochs, from a loader as the runner builds it."""
    loader = Runner.build_dataloader(
        dict(
            batch_size=4,
            num_workers=num_workers,
            persistent_workers=persistent,
            dataset=dataset,
            sampler=dict(type='mmcoop.EpochSampler', **sampler),
            batch_sampler=dict(type='mmcoop.FullBatchSampler'),
            collate_fn=dict(type='default_collate'),
        ),
        seed=3,
    )
    for epoch in which:
        loader.batch_sampler.sampler.set_epoch(epoch)
        for batch in loader:
            yield batch['inputs'].clone()


# torch wants no more workers than cores
@pytest.mark.filterwarnings('ignore:This DataLoader will create')
@pytest.mark.parametrize(
    ('num_workers', 'persistent'),
    [(1, False), (1, True), (4, False), (4, True)],
)
def test_workers_make_no_difference(images, num_workers, persistent):
    alone = list(epochs(images, (0, 1)))
    torch.manual_seed(5)
    np.random.seed(5)
    random.seed(5)
    shared = list(epochs(images, (0, 1), num_workers, persistent))

    assert len(alone) == len(shared) == 8
    assert all(map(torch.equal, alone, shared))
    halves = torch.cat(alone).split(16)
    assert not torch.equal(*(half.sort(0)[0] for half in halves))


def test_an_epoch_needs_none_before_it(images):
    both = list(epochs(images, (0, 1)))
    second = list(epochs(images, (1,)))
    assert all(map(torch.equal, both[4:], second))


@pytest.mark.parametrize('world_size', [2, 3])
def test_ranks_share_the_samples_of_one(monkeypatch, world_size):
    dataset = DATASETS.build(
        dict(
            type='mmcoop.SeededSamples', dataset=dict(type='mmcoop.TestDraws')
        )
    )

    def epoch(rank, world_size):
        monkeypatch.setattr(
            'mmengine.dataset.sampler.get_dist_info',
            lambda: (rank, world_size),
        )
        sampler = EpochSampler(dataset, seed=1)
        sampler.set_epoch(4)
        samples = [dataset[index] for index in sampler]
        return [(int(s['index']), *s['drawn'].tolist()) for s in samples]

    alone = epoch(0, 1)
    shares = [epoch(rank, world_size) for rank in range(world_size)]
    # Where samples cannot be shared out evenly, the first come again.
    merged = [sample for turn in zip(*shares, strict=True) for sample in turn]
    assert merged[:NUM_IMAGES] == alone
    assert set(merged) == set(alone)
    assert len(set(alone)) == NUM_IMAGES


def test_order_is_that_of_mmengine():
    dataset = Draws()
    for shuffle in (True, False):
        ours = EpochSampler(dataset, shuffle=shuffle, seed=1)
        theirs = DefaultSampler(dataset, shuffle=shuffle, seed=1)
        for sampler in (ours, theirs):
            sampler.set_epoch(2)
        assert list(ours) == list(theirs)


def test_goes_on_within_an_epoch():
    before = EpochSampler(Draws(), seed=1)
    before.set_epoch(2)
    whole = list(before)
    # A seed that nobody gave is another one in each process.
    sampler = EpochSampler(Draws(), seed=7)
    sampler.go_on(1, 2, num_seen=12)
    assert list(sampler) == whole[12:]
    assert len(sampler) == NUM_IMAGES
    sampler.set_epoch(2)
    assert list(sampler) == whole[12:]
    sampler.set_epoch(3)
    assert len(list(sampler)) == NUM_IMAGES


def test_goes_on_with_another_number_of_ranks(monkeypatch):
    whole = list(EpochSampler(Draws(), seed=1))
    rest = []
    for rank in (0, 1):
        monkeypatch.setattr(
            'mmengine.dataset.sampler.get_dist_info',
            lambda rank=rank: (rank, 2),
        )
        sampler = EpochSampler(Draws(), seed=1)
        sampler.go_on(1, 0, num_seen=8)
        rest += list(sampler)
    assert sorted(rest) == sorted(whole[8:])


def test_the_process_draws_for_itself_as_before():
    dataset = DATASETS.build(
        dict(
            type='mmcoop.SeededSamples', dataset=dict(type='mmcoop.TestDraws')
        )
    )
    for seed in (random.seed, np.random.seed, torch.manual_seed):
        seed(0)
    expected = random.random(), np.random.rand(), torch.rand(1)
    for seed in (random.seed, np.random.seed, torch.manual_seed):
        seed(0)
    dataset[SampleIndex(3, seed=1, epoch=2)]
    assert (random.random(), np.random.rand(), torch.rand(1)) == expected


def test_a_plain_index_draws_as_elsewhere():
    dataset = DATASETS.build(
        dict(type='mmcoop.SeededSamples', dataset=Draws())
    )
    torch.manual_seed(0)
    first, second = dataset[3]['drawn'], dataset[3]['drawn']
    assert not torch.equal(first, second)
    index = SampleIndex(3, seed=1, epoch=2)
    assert torch.equal(dataset[index]['drawn'], dataset[index]['drawn'])
    for other in ((4, 1, 2), (3, 2, 2), (3, 1, 3)):
        drawn = dataset[SampleIndex(*other)]['drawn']
        assert not (drawn == dataset[index]['drawn']).any()


def test_an_index_is_an_index_wherever_it_goes():
    index = pickle.loads(pickle.dumps(SampleIndex(3, seed=1, epoch=2)))
    assert (index, index.seed, index.epoch) == (3, 1, 2)
    assert ['a', 'b', 'c', 'd'][index] == 'd'
    assert np.arange(10)[index] == 3


def test_the_sampler_is_found_from_a_config():
    init_default_scope('mmpretrain')
    cfg = dict(type='mmcoop.EpochSampler', dataset=Draws(), seed=1)
    assert isinstance(DATA_SAMPLERS.build(cfg), EpochSampler)
