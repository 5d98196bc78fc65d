"""A few images per class, drawn as CoOp draws them.

The rule is that of the original implementation, so the same data, number of
shots and seed give the same images as there.
"""

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from mmengine.dataset import BaseDataset, force_full_init

from mmcoop.registry import DATASETS

from .data_checks import (
    check_images_per_class,
    label_of,
    missing_data_error,
    sample_name,
)
from .seeded_samples import get_seeded
from .skip_broken import replace_broken
from .wrapper import PipelineWrapper


def few_shot_indices(
    labels: Sequence[int], num_shots: int, rng: random.Random
) -> list[int]:
    """Draw up to ``num_shots`` items of each label.

    Labels come in the order in which they first appear. CoOp draws its
    validation images after the training images from the same stream: call
    this a second time with the same ``rng`` and at most 4 shots.

    Args:
        labels (Sequence[int]): The label of each item.
        num_shots (int): How many items per label; a label with fewer gives
            all of them. -1 takes everything, in the order given.
        rng (random.Random): The stream to draw from, which moves on.

    Returns:
        list[int]: The positions in ``labels``, in the order of drawing.
    """
    if num_shots == -1:
        return list(range(len(labels)))
    groups: dict[int, list[int]] = {}
    for index, label in enumerate(labels):
        groups.setdefault(label, []).append(index)
    drawn = []
    for group in groups.values():
        # Drawing all of a group would shuffle it and move the stream on;
        # the original does neither if the group is too small.
        enough = len(group) >= num_shots
        drawn += rng.sample(group, num_shots) if enough else group
    return drawn


@DATASETS.register_module()
class FewShot(PipelineWrapper):
    """``num_shots`` images per class of any single-label data set.

    The shots depend on the data set's order, ``num_shots`` and ``seed``, and
    on nothing else: not on the training's seed, nor on the rank. They come
    in the order of drawing. Wrappers that repeat images, like
    ``RepeatDataset``, belong around this one, not inside.

    A sample that cannot be prepared is an error. mmengine would put a random
    other image of the whole data set in its place, which need not be among
    the shots, so the wrapped data set's ``max_refetch`` is set to 0.

    Args:
        dataset (dict | BaseDataset): Config of the data set to draw from, or
            the data set; mmengine's and mmpretrain's wrappers are fine too.
        num_shots (int): Images per class; -1 takes all there are.
        seed (int): Which images; CoOp reports the mean over 1, 2 and 3.
        lazy_init (bool): Whether to draw on first use only.
        skip_broken (bool): Whether to read the shots now and draw others of
            the same class in the place of those that cannot be read, which
            the log lists. The other shots stay what they are.

    Raises:
        TypeError: If an argument is of another type.
        ValueError: If ``num_shots`` or ``seed`` is out of range, a class has
            no image, or a label is missing or not a number of a class.
        FileNotFoundError: If the data are not where the config says.
    """

    def __init__(
        self,
        dataset: Any,
        num_shots: int = 16,
        seed: int = 1,
        lazy_init: bool = False,
        skip_broken: bool = False,
    ) -> None:
        self.skip_broken = skip_broken
        self.num_shots = _checked_int('num_shots', num_shots)
        self.seed = _checked_int('seed', seed)
        if num_shots != -1 and num_shots < 1:
            raise ValueError(
                f'num_shots is {num_shots}: give the number of images per '
                'class, at least 1, or -1 for all images.'
            )
        if seed < 0:
            raise ValueError(
                f'seed is {seed}: give a number from 0 on. Python draws the '
                'same images for a seed and its negative.'
            )
        self.dataset = _built(dataset)
        self._fully_initialized = False
        if not lazy_init:
            self.full_init()

    def full_init(self) -> None:
        """List the data and draw the shots."""
        if self._fully_initialized:
            return
        try:
            self.dataset.full_init()
        except FileNotFoundError as error:
            raise missing_data_error(self.dataset, error) from error
        for base in _base_datasets(self.dataset):
            base.max_refetch = 0

        classes = self.CLASSES
        labels = [
            label_of(self.dataset.get_data_info(index), index, classes)
            for index in range(len(self.dataset))
        ]
        check_images_per_class(labels, self.num_shots, classes)
        # A generator of its own: the same numbers as the original's
        # `random.seed(seed)`, without touching the global one.
        self._indices = few_shot_indices(
            labels, self.num_shots, random.Random(self.seed)
        )
        if self.skip_broken:
            self._indices = replace_broken(
                self.dataset, labels, self._indices, self.seed
            )
        self._labels = [labels[index] for index in self._indices]
        if self.num_shots != -1:
            self._check_drawn_once()
        self._fully_initialized = True

    def _check_drawn_once(self) -> None:
        """Refuse two shots that are the same image."""
        infos = map(self.dataset.get_data_info, self._indices)
        paths = Counter(
            info['img_path'] for info in infos if 'img_path' in info
        )
        for path, count in paths.most_common(1):
            if count > 1:
                raise ValueError(
                    f'{path} was drawn {count} times: the data set lists '
                    'images more than once. Put a wrapper that repeats '
                    'images around FewShot instead of inside, or take the '
                    'duplicates out of the annotation file.'
                )

    @force_full_init
    def get_data_info(self, idx: int) -> dict:
        """Get what is known of a shot before the pipeline.

        Args:
            idx (int): Which shot.

        Returns:
            dict: The wrapped data set's entry, ``sample_idx`` included.
        """
        return self.dataset.get_data_info(self._indices[idx])

    @force_full_init
    def get_cat_ids(self, idx: int) -> list[int]:
        """Get the label of a shot, as a list of one.

        Args:
            idx (int): Which shot.

        Returns:
            list[int]: The label.
        """
        return [self._labels[idx]]

    @force_full_init
    def get_gt_labels(self) -> np.ndarray:
        """Get the labels of all shots.

        Returns:
            np.ndarray: (N,), int64.
        """
        return np.array(self._labels, dtype=np.int64)

    @force_full_init
    def __len__(self) -> int:
        return len(self._indices)

    @force_full_init
    def __getitem__(self, idx: int) -> dict:
        index = self._indices[idx]
        try:
            return get_seeded(self.dataset, idx, index)
        except Exception as error:
            name = sample_name(self.dataset.get_data_info(index), index)
            if name in str(error):
                raise
            raise RuntimeError(
                f'{name} could not be prepared ({type(error).__name__}: '
                f'{error}). Replace the image by a sound copy, or correct '
                'the pipeline.'
            ) from error

    def __repr__(self) -> str:
        return (
            f'{type(self).__name__}(num_shots={self.num_shots}, '
            f'seed={self.seed}, dataset={self.dataset!r})'
        )


def _checked_int(name: str, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(
            f'{name} is {value!r}, a {type(value).__name__}: give a whole '
            'number.'
        )
    return value


def _built(dataset: Any) -> Any:
    """Build a data set from its config, unless it is one already."""
    if isinstance(dataset, Mapping):
        try:
            return DATASETS.build(dataset)
        except FileNotFoundError as error:
            raise missing_data_error(dataset, error) from error
    needed = ('metainfo', 'full_init', 'get_data_info', '__getitem__')
    missing = [name for name in needed if not hasattr(dataset, name)]
    if missing:
        raise TypeError(
            f'dataset is a {type(dataset).__name__} without '
            f'{", ".join(missing)}: give the config of a data set of '
            'mmpretrain or mmengine, a dict with a type, or such a data set.'
        )
    return dataset


def _base_datasets(dataset: Any) -> list[BaseDataset]:
    """Find the data sets that wrappers, if any, have inside."""
    if isinstance(dataset, BaseDataset):
        return [dataset]
    inner = [*getattr(dataset, 'datasets', [])]
    if hasattr(dataset, 'dataset'):
        inner.append(dataset.dataset)
    return [base for item in inner for base in _base_datasets(item)]
