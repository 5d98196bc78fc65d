"""The first or the second half of a data set's classes."""

from collections.abc import Mapping, Sequence
from typing import Any

from mmengine.dataset import force_full_init

from mmcoop.registry import DATASETS

PARTS = ('base', 'new')


def classes_of_part(num_classes: int, part: str) -> range:
    """Give the labels of a half.

    Args:
        num_classes (int): K, of the whole data set.
        part (str): 'base', the first half, which has one more where K is
            odd; or 'new', the rest.

    Returns:
        range: The labels.

    Raises:
        ValueError: If there is no such part.
    """
    if part not in PARTS:
        raise ValueError(f"part is {part!r}: choose 'base' or 'new'.")
    middle = (num_classes + 1) // 2
    return range(middle) if part == 'base' else range(middle, num_classes)


@DATASETS.register_module()
class BaseNew:
    """The images of half of the classes, with labels from 0 on.

    For learning on base classes and testing on new ones. Put it around
    :class:`FewShot`, not inside: the original draws from all classes first,
    so that base classes have the same shots in either setting.

    Args:
        dataset (dict | BaseDataset): A single-label data set, or its config.
        part (str): 'base' or 'new'; see :func:`classes_of_part`.
        lazy_init (bool): Whether to list the images on first use only.

    Raises:
        ValueError: If there is no such part, or no class names.
    """

    def __init__(
        self, dataset: Any, part: str = 'base', lazy_init: bool = False
    ) -> None:
        classes_of_part(0, part)
        self.part = part
        if isinstance(dataset, Mapping):
            dataset = DATASETS.build(dataset)
        self.dataset = dataset
        self._fully_initialized = False
        if not lazy_init:
            self.full_init()

    @property
    def metainfo(self) -> dict:
        """dict: The wrapped data set's, with the half's class names."""
        self.full_init()
        return dict(self.dataset.metainfo, classes=self._classes)

    @property
    def CLASSES(self) -> Sequence[str]:  # noqa: N802, mmpretrain's name
        """Sequence[str]: The half's class names."""
        return self.metainfo['classes']

    def full_init(self) -> None:
        """List the images of the half."""
        if self._fully_initialized:
            return
        self.dataset.full_init()
        names = self.dataset.metainfo.get('classes')
        if names is None:
            raise ValueError(
                f'{type(self.dataset).__name__} has no class names, and so '
                'no first half of them: give it metainfo=dict(classes=[…]).'
            )
        labels = classes_of_part(len(names), self.part)
        self._first = labels.start
        self._classes = tuple(names[label] for label in labels)
        self._indices = [
            index
            for index in range(len(self.dataset))
            if self.dataset.get_data_info(index)['gt_label'] in labels
        ]
        self._fully_initialized = True

    @force_full_init
    def get_data_info(self, idx: int) -> dict:
        """Get what is known of an image before the pipeline.

        Args:
            idx (int): Which image.

        Returns:
            dict: The wrapped data set's entry, its label counted anew.
        """
        info = self.dataset.get_data_info(self._indices[idx])
        return dict(info, gt_label=info['gt_label'] - self._first)

    @force_full_init
    def get_cat_ids(self, idx: int) -> list[int]:
        """Get the label of an image, as a list of one.

        Args:
            idx (int): Which image.

        Returns:
            list[int]: The label.
        """
        return [self.get_data_info(idx)['gt_label']]

    @force_full_init
    def __len__(self) -> int:
        return len(self._indices)

    @force_full_init
    def __getitem__(self, idx: int) -> dict:
        sample = self.dataset[self._indices[idx]]
        label = self.get_data_info(idx)['gt_label']
        sample['data_samples'].set_gt_label(label)
        return sample
