"""Augmented views of images that are the same on every run."""

from typing import Any

from torch.utils.data import Dataset

from .seeded_samples import seeded


class ImageViews(Dataset):
    """V views of each of n images, view by view.

    What is random in view v of image i depends on ``(seed, v, i)`` alone:
    not on the views asked for before, the workers, or a restart.

    Args:
        dataset (Dataset): Gives an image another augmentation each time.
        num_views (int): V.
        seed (int): Of the augmentations.
    """

    def __init__(self, dataset: Any, num_views: int, seed: int) -> None:
        self._dataset = dataset
        self._num_views = num_views
        self._seed = seed

    def __len__(self) -> int:
        return self._num_views * len(self._dataset)

    def __getitem__(self, row: int) -> dict:
        view, index = divmod(row, len(self._dataset))
        with seeded(self._seed, view, index):
            return self._dataset[index]
