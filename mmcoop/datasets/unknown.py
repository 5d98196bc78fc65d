"""Images of none of the known classes."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from mmengine.dataset import force_full_init

from mmcoop.registry import DATASETS

from .wrapper import Wrapper


@DATASETS.register_module()
class Unknown(Wrapper):
    """A data set whose images are of no known class: every label is -1.

    Put it beside the known images in a ``ConcatDataset``, with
    ``ignore_keys`` for what their ``metainfo`` has not in common, and
    evaluate with :class:`mmcoop.OutOfDistribution`. Metrics that do not know
    of unknown images count every answer as wrong.

    Args:
        dataset (dict | BaseDataset): Any data set, with or without labels,
            or its config.
        lazy_init (bool): Whether to list the images on first use only.

    Raises:
        ValueError: If there are no images, or they cannot be listed.
    """

    LABEL = -1

    def __init__(self, dataset: Any, lazy_init: bool = False) -> None:
        self.dataset = dataset
        if isinstance(dataset, Mapping):
            with _explained(dataset['type']):
                self.dataset = DATASETS.build(dataset)
        self._fully_initialized = False
        if not lazy_init:
            self.full_init()

    def full_init(self) -> None:
        """List the images."""
        if self._fully_initialized:
            return
        with _explained(type(self.dataset).__name__):
            self.dataset.full_init()
            if len(self.dataset) == 0:
                raise ValueError('there are none')
        self._fully_initialized = True

    @force_full_init
    def get_data_info(self, idx: int) -> dict:
        """Get what is known of an image before the pipeline.

        Args:
            idx (int): Which image.

        Returns:
            dict: The wrapped data set's entry, with label -1.
        """
        return dict(self.dataset.get_data_info(idx), gt_label=self.LABEL)

    @force_full_init
    def get_cat_ids(self, idx: int) -> list[int]:
        """Get the label of an image, as a list of one.

        Args:
            idx (int): Which image.

        Returns:
            list[int]: -1.
        """
        return [self.LABEL]

    @force_full_init
    def __len__(self) -> int:
        return len(self.dataset)

    @force_full_init
    def __getitem__(self, idx: int) -> dict:
        sample = self.dataset[idx]
        sample['data_samples'].set_gt_label(self.LABEL)
        return sample


@contextmanager
def _explained(dataset: str) -> Iterator[None]:
    """Say what a data set is for that cannot list its images.

    mmengine's cannot be empty: numpy complains.
    """
    try:
        yield
    except ValueError as error:
        raise ValueError(
            f'{dataset} lists no images to be unknown ({error}): correct its '
            'data_root, data_prefix or annotation file.'
        ) from error
