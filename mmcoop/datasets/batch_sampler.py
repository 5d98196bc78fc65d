"""Batches of few images."""

from torch.utils.data import BatchSampler as TorchBatchSampler

from mmcoop.registry import DATA_SAMPLERS


@DATA_SAMPLERS.register_module()
class FullBatchSampler(TorchBatchSampler):
    """Drop a last batch that is not full, unless it is the only one.

    As in the original CoOp: 10 classes with 1 shot each are fewer images
    than a batch of 32, and ``drop_last`` would leave nothing to train on.

    Args:
        sampler (Sampler): Gives the order of the images.
        batch_size (int): Images in a full batch.
    """

    def __init__(self, sampler, batch_size: int):
        super().__init__(
            sampler, batch_size, drop_last=len(sampler) >= batch_size
        )
