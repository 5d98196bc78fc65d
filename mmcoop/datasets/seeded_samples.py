"""What is random in a sample: a matter of (seed, epoch, sample) alone.

mmengine seeds each worker of a data loader alike whenever it starts, so that
augmentation hangs on the number of workers, on how long they live, and on
restarts. Here the sampler, which knows the epoch, sends it along with the
index of each sample, and the data set draws by it.
"""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

from mmcoop.registry import DATASETS

from .wrapper import PipelineWrapper


class SampleIndex(int):
    """The index of a sample that knows in which epoch it is asked for.

    Args:
        index (int): Which sample.
        seed (int): Of the run.
        epoch (int): From 0 on.
    """

    seed: int
    epoch: int

    def __new__(cls, index: int, seed: int, epoch: int) -> 'SampleIndex':
        """Make an int that carries two more."""
        self = super().__new__(cls, index)
        self.seed, self.epoch = seed, epoch
        return self

    def __getnewargs__(self) -> tuple[int, int, int]:
        """Give what `pickle` makes it of, on its way to a worker."""
        return int(self), self.seed, self.epoch


@contextmanager
def seeded(*numbers: int) -> Iterator[None]:
    """Let transforms draw what belongs to these numbers.

    Afterwards the global generators are where they were: a process draws
    the same for itself, whether it prepares samples or has workers do it.

    Args:
        *numbers (int): From 0 on, like seed, epoch and sample.
    """
    # Transforms draw from the global generators, and not all from one.
    before = random.getstate(), np.random.get_state(), torch.get_rng_state()
    seeds = np.random.SeedSequence(numbers).generate_state(3)
    random.seed(int(seeds[0]))
    np.random.seed(seeds[1])
    # Of the CPU alone: torch.manual_seed would seed every accelerator too.
    torch.default_generator.manual_seed(int(seeds[2]))
    try:
        yield
    finally:
        random.setstate(before[0])
        np.random.set_state(before[1])
        torch.set_rng_state(before[2])


def get_seeded(dataset: Any, index: int, source: int | None = None) -> Any:
    """Get a sample, with its own random numbers if its index has a seed.

    Args:
        dataset (Dataset): Where it is.
        index (int): As the sampler gave it: with a plain int what is random
            is left to the process, as elsewhere.
        source (int, optional): Its index in ``dataset``, where that differs.

    Returns:
        Any: The sample.
    """
    if source is None:
        source = index
    if not isinstance(index, SampleIndex):
        return dataset[source]
    with seeded(index.seed, index.epoch, int(index)):
        return dataset[source]


@DATASETS.register_module()
class SeededSamples(PipelineWrapper):
    """Any data set, with random numbers that each sample has to itself.

    They depend on (seed, epoch, sample) alone if `EpochSampler` asks for the
    samples. `FewShot` does the same: this is for data sets without it, and
    belongs outside of all other wrappers.

    Args:
        dataset (dict | Dataset): Config of a data set, or the data set.
    """

    def __init__(self, dataset: Any) -> None:
        is_config = isinstance(dataset, dict)
        self.dataset = DATASETS.build(dataset) if is_config else dataset

    def full_init(self) -> None:
        """List the data, where that is not done at once."""
        getattr(self.dataset, 'full_init', lambda: None)()

    def get_data_info(self, idx: int) -> dict:
        """Get what is known of a sample before the pipeline."""
        return self.dataset.get_data_info(idx)

    def get_cat_ids(self, idx: int) -> list[int]:
        """Get the labels of a sample."""
        return self.dataset.get_cat_ids(idx)

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, idx: int) -> Any:
        return get_seeded(self.dataset, idx)
