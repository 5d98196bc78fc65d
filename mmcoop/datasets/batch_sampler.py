"""Batches of few images."""

import itertools
from collections.abc import Iterator

from mmengine.dist import get_world_size
from torch.utils.data import BatchSampler as TorchBatchSampler

from mmcoop.registry import DATA_SAMPLERS


@DATA_SAMPLERS.register_module()
class FullBatchSampler(TorchBatchSampler):
    """Drop a last batch that is not full, unless it is the only one.

    As in the original CoOp: 10 classes with 1 shot each are fewer images
    than a batch of 32, and ``drop_last`` would leave nothing to train on.

    On several ranks a batch is that of all: as many are formed, of the same
    images, as on one rank with all of the batch size. Images that come twice
    so that ranks get equally many fill no batch, unless it is the only one.

    Args:
        sampler (Sampler): Gives the order of the images.
        batch_size (int): Images in a full batch, on each rank.
    """

    def __init__(self, sampler, batch_size: int):
        super().__init__(
            sampler, batch_size, drop_last=len(sampler) >= batch_size
        )

    def __iter__(self) -> Iterator[list[int]]:
        """Give this rank's part of each batch."""
        return itertools.islice(super().__iter__(), len(self))

    def __len__(self) -> int:
        """Give the number of batches."""
        images = getattr(self.sampler, 'dataset', None)
        if images is None:
            return super().__len__()
        full = len(images) // (self.batch_size * get_world_size())
        return min(super().__len__(), max(full, 1))
