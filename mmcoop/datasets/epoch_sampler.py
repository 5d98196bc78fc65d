"""The order of an epoch's samples, and where in it to go on."""

from collections.abc import Iterator

from mmengine.dataset import DefaultSampler

from mmcoop.registry import DATA_SAMPLERS

from .seeded_samples import SampleIndex


@DATA_SAMPLERS.register_module()
class EpochSampler(DefaultSampler):
    """mmengine's `DefaultSampler`, whose indices know their epoch.

    With `FewShot` or `SeededSamples`, what is random in a sample depends on
    (seed, epoch, sample) alone: not on the number of workers, on how long
    they live, on ranks, or on a restart. The options are the same.
    """

    # Of the samples of this epoch on all ranks, how many come no more
    num_seen = 0

    def set_epoch(self, epoch: int) -> None:
        """Begin an epoch, unless it has begun.

        Args:
            epoch (int): From 0 on.
        """
        if epoch != self.epoch:
            self.num_seen = 0
        super().set_epoch(epoch)

    def go_on(self, seed: int, epoch: int, num_seen: int = 0) -> None:
        """Begin where a run was left, maybe within an epoch.

        ``len()`` remains that of the whole epoch.

        Args:
            seed (int): That of the run.
            epoch (int): From 0 on.
            num_seen (int): How many samples of the epoch were seen, on all
                ranks: a multiple of their number.
        """
        self.seed = seed
        self.set_epoch(epoch)
        self.num_seen = num_seen

    def __iter__(self) -> Iterator[SampleIndex]:
        """Give this rank's indices of the epoch, without those seen."""
        indices = list(super().__iter__())[self.num_seen // self.world_size :]
        return iter(
            [SampleIndex(index, self.seed, self.epoch) for index in indices]
        )
