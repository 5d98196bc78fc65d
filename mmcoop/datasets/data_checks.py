"""What can be wrong with a user's images and labels, in clear words."""

import logging
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from numbers import Integral
from typing import Any

from mmengine.logging import print_log

# How many classes a message lists by name.
MAX_LISTED = 20


def missing_data_error(
    dataset: Any, error: FileNotFoundError
) -> FileNotFoundError:
    """Say which data are missing, where, and what should be there.

    Args:
        dataset (dict | BaseDataset): The data set or its config.
        error (FileNotFoundError): What it raised.

    Returns:
        FileNotFoundError: The error to raise instead.
    """
    if error.filename is None:
        return error  # The data set has said it all, as our `ImageNet` does.
    if isinstance(dataset, Mapping):
        kind, root = dataset['type'], dataset.get('data_root', '')
    else:
        kind = type(dataset).__name__
        root = getattr(dataset, 'data_root', '')
    return FileNotFoundError(
        f'The data set {kind} with data_root={root!r} looked for '
        f'{os.path.abspath(error.filename)}, which does not exist. Put the '
        'data there, or correct data_root, data_prefix or ann_file in the '
        'config. Without an ann_file, images are expected as '
        'DATA_ROOT/DATA_PREFIX/CLASS/IMAGE.'
    )


def sample_name(info: dict, index: int) -> str:
    """Name a sample for people.

    Args:
        info (dict): The data set's entry.
        index (int): Its position, in case it has no ``img_path``.

    Returns:
        str: The image's path, or the position.
    """
    return str(info.get('img_path', f'Sample {index} of the data set'))


def label_of(info: dict, index: int, classes: Sequence[str] | None) -> int:
    """Get a sample's label.

    Args:
        info (dict): The data set's entry.
        index (int): Its position.
        classes (Sequence[str], optional): The class names.

    Returns:
        int: The label, from 0 on.

    Raises:
        ValueError: If there is no label, or not one, or none of a class.
    """
    label = info.get('gt_label')
    if not isinstance(label, Integral):
        raise ValueError(
            f'{sample_name(info, index)} has gt_label {label!r}, but drawing '
            'a few images per class needs exactly one class number for each: '
            'use a single-label data set, with its labels.'
        )
    if label < 0:
        raise ValueError(
            f'{sample_name(info, index)} has label {label}, but labels count '
            'from 0: correct the annotation file.'
        )
    if classes is not None and label >= len(classes):
        raise ValueError(
            f'{sample_name(info, index)} has label {label}, but there are '
            f'{len(classes)} class names and labels count from 0: correct '
            'the annotation file, or give all class names in metainfo.'
        )
    return int(label)


def check_images_per_class(
    labels: Sequence[int], num_shots: int, classes: Sequence[str] | None
) -> None:
    """Refuse classes without images, and warn of those with too few.

    Args:
        labels (Sequence[int]): The label of each image.
        num_shots (int): The images wanted per class.
        classes (Sequence[str], optional): The class names.

    Raises:
        ValueError: If a class has no image.
    """
    counts = Counter(labels)
    empty = [
        repr(name)
        for label, name in enumerate(classes or ())
        if label not in counts
    ]
    if empty:
        raise ValueError(
            f'{len(empty)} of {len(classes)} classes have no image: '
            f'{_listed(empty)}. Each class needs at least one to learn from: '
            'add images, or take these classes out of the data set.'
        )
    few = [
        f'{classes[label]!r} ({count})' if classes else f'{label} ({count})'
        for label, count in sorted(counts.items())
        if count < num_shots
    ]
    if few:
        print_log(
            f'{len(few)} of {len(counts)} classes have fewer images than '
            f'num_shots={num_shots}; all of their images are taken: '
            f'{_listed(few)}.',
            logger='current',
            level=logging.WARNING,
        )


def _listed(items: list[str]) -> str:
    more = len(items) - MAX_LISTED
    end = f' and {more} more' if more > 0 else ''
    return ', '.join(items[:MAX_LISTED]) + end
