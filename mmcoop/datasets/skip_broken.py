"""Leave out images that cannot be read, and say which and why."""

import logging
import os
import random
from collections import defaultdict
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from mmcv.transforms import LoadImageFromFile as MMCVLoadImageFromFile
from mmengine.dataset import force_full_init
from mmengine.logging import print_log

from mmcoop.registry import DATASETS

from .data_checks import sample_name
from .seeded_samples import get_seeded
from .transforms import LoadImageFromFile
from .wrapper import PipelineWrapper


@DATASETS.register_module()
class SkipBroken(PipelineWrapper):
    """The images of a data set that can be read.

    All of them are read once to find out, when the data set is listed; the
    others are counted and listed in the log. On several ranks each reads
    them all, and all come to the same result.

    Meant for the images of an evaluation, whose accuracy then is of fewer
    images. For a few images per class use ``FewShot(skip_broken=True)``,
    which reads the shots alone.

    Args:
        dataset (dict | BaseDataset): A data set, or its config.
        lazy_init (bool): Whether to read the images on first use only.

    Raises:
        ValueError: If no image can be read.
    """

    def __init__(self, dataset: Any, lazy_init: bool = False) -> None:
        is_config = isinstance(dataset, dict)
        self.dataset = DATASETS.build(dataset) if is_config else dataset
        self._fully_initialized = False
        if not lazy_init:
            self.full_init()

    def full_init(self) -> None:
        """List the images, and read each."""
        if self._fully_initialized:
            return
        self.dataset.full_init()
        everything = range(len(self.dataset))
        broken = find_broken(self.dataset, everything)
        self._indices = [i for i in everything if i not in broken]
        if broken:
            lines = [_line(self.dataset, i, why) for i, why in broken.items()]
            _log(f'{len(broken)} of {len(everything)} images', lines)
        if not self._indices:
            raise ValueError(
                f'none of the {len(everything)} images can be read. The '
                f'first: {next(iter(broken.values()), "there is none")}'
            )
        self._fully_initialized = True

    @force_full_init
    def get_data_info(self, idx: int) -> dict:
        """Get what is known of an image before the pipeline.

        Args:
            idx (int): Which image.

        Returns:
            dict: The wrapped data set's entry.
        """
        return self.dataset.get_data_info(self._indices[idx])

    @force_full_init
    def get_cat_ids(self, idx: int) -> list[int]:
        """Get the labels of an image.

        Args:
            idx (int): Which image.

        Returns:
            list[int]: The wrapped data set's.
        """
        return self.dataset.get_cat_ids(self._indices[idx])

    @force_full_init
    def __len__(self) -> int:
        return len(self._indices)

    @force_full_init
    def __getitem__(self, idx: int) -> dict:
        return get_seeded(self.dataset, idx, self._indices[idx])


def find_broken(dataset: Any, indices: Iterable[int]) -> dict[int, str]:
    """Read images to see which cannot be read.

    Args:
        dataset (Dataset): With ``get_data_info``; images are read as by the
            first step of its pipeline, or by `LoadImageFromFile`.
        indices (Iterable[int]): Which images.

    Returns:
        dict[int, str]: What is wrong, in the order given.
    """
    load = _loading_step(dataset)

    def fault(index: int) -> str | None:
        try:
            load(dict(dataset.get_data_info(index)))
        except OSError as error:
            reason = error.__cause__ or error
            return f'{type(reason).__name__}: {reason}'
        return None

    indices = list(indices)
    # Pillow decodes without Python's lock.
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        faults = list(pool.map(fault, indices))
    pairs = zip(indices, faults, strict=True)
    return {index: text for index, text in pairs if text is not None}


def replace_broken(
    dataset: Any, labels: Sequence[int], shots: Sequence[int], seed: int
) -> list[int]:
    """Put other images of the same class in the place of broken shots.

    Shots that can be read stay what they are. The others are drawn by a
    stream of the seed and the class: the result depends on the data set, on
    which images are broken, and on the seed, and on nothing else.

    Args:
        dataset (Dataset): From which the shots are.
        labels (Sequence[int]): The label of each of its images.
        shots (Sequence[int]): Indices of what was drawn.
        seed (int): Of the draw.

    Returns:
        list[int]: The shots; fewer where a class has no more images.

    Raises:
        ValueError: If no image of a class can be read.
    """
    drawn = set(shots)
    rest = defaultdict(list)
    for index, label in enumerate(labels):
        if index not in drawn:
            rest[label].append(index)
    for label, group in rest.items():
        random.Random(f'{seed} {label}').shuffle(group)
    # By place, since a shot may be replaced several times
    places = dict(enumerate(shots))
    unread, lines = set(places), []
    while unread:
        read = {places[place]: place for place in sorted(unread)}
        broken = find_broken(dataset, read)
        unread = {read[index] for index in broken}
        for index, why in broken.items():
            line = _line(dataset, index, why)
            group = rest[labels[index]]
            if group:
                places[read[index]] = group.pop()
                name = sample_name(
                    dataset.get_data_info(places[read[index]]),
                    places[read[index]],
                )
                line += f'; in its place: {name}'
            else:
                del places[read[index]]
                unread.discard(read[index])
            lines.append(line)
    if lines:
        _log(f'{len(lines)} of the images drawn', lines)
    sound = list(places.values())
    lost = set(labels) - {labels[index] for index in sound}
    if lost:
        raise ValueError(
            f'no image can be read of {len(lost)} classes, the first with '
            f'label {min(lost)}: each class needs at least one to learn '
            'from. The log lists the images and what is wrong with them.'
        )
    return sound


def _loading_step(dataset: Any) -> Any:
    """Find how a data set, or the one within it, reads its images."""
    while not hasattr(dataset, 'pipeline') and hasattr(dataset, 'dataset'):
        dataset = dataset.dataset
    steps = getattr(getattr(dataset, 'pipeline', None), 'transforms', [])
    for step in steps:
        if isinstance(step, MMCVLoadImageFromFile):
            return step
    return LoadImageFromFile()


def _line(dataset: Any, index: int, why: str) -> str:
    name = sample_name(dataset.get_data_info(index), index)
    return f'{name}: {why}'


def _log(count: str, lines: Sequence[str]) -> None:
    print_log(
        f'{count} cannot be read and are skipped:\n  ' + '\n  '.join(lines),
        logger='current',
        level=logging.WARNING,
    )
