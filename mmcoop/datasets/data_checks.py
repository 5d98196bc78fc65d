"""What can be wrong with a user's images and labels, in clear words."""

import logging
import os
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from numbers import Integral
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any

from mmengine.logging import print_log

# How many classes a message lists by name.
MAX_LISTED = 20
# How many images it does.
MAX_EXAMPLES = 5


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
    # `True` is an int to Python.
    if not isinstance(label, Integral) or isinstance(label, bool):
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


def check_path(path: str, where: str) -> None:
    """Refuse a path that no file of a data set has.

    Args:
        path (str): As an annotation file has it.
        where (str): Names the entry, for the error.

    Raises:
        ValueError: If it is empty, has control characters, or is no text
            that a file system can hold.
    """
    # A line break in a path would spoil the log and every list of paths.
    if not path or any(unicodedata.category(c) == 'Cc' for c in path):
        raise ValueError(
            f'{where} has the path {path!r}: wanted one that is not empty '
            'and without line breaks or other control characters.'
        )
    try:
        os.fsencode(path)
    except UnicodeEncodeError as error:
        raise ValueError(
            f'{where} has the path {path!r}, which is no text '
            f'({error.reason}): write the file again.'
        ) from error


def check_path_inside(path: str, where: str) -> None:
    """Refuse a path that leads out of the folder of images.

    Links within that folder are followed wherever they lead: they are of
    those who put the images there, not of the annotation file's author.

    Args:
        path (str): As an annotation file has it.
        where (str): Names the entry, for the error.

    Raises:
        ValueError: If it is absolute or has ``..``, of this system or of
            another, or is no path at all.
    """
    check_path(path, where)
    kinds = PurePosixPath(path), PureWindowsPath(path)
    if any(kind.anchor or '..' in kind.parts for kind in kinds):
        raise ValueError(
            f'{where} has the path {path!r}, which may lead out of the '
            'folder of images: wanted a relative path without "..". To use '
            'images from elsewhere, put a link into that folder.'
        )


def warn_of_leaks(
    train: Iterable[str], test: Iterable[str], source: str
) -> None:
    """Warn of images that are for training and for testing.

    Args:
        train (Iterable[str]): Paths.
        test (Iterable[str]): Paths.
        source (str): The file or folder that has both.
    """
    known = set(map(os.path.normpath, train))
    both = sorted(known & set(map(os.path.normpath, test)))
    if both:
        print_log(
            f'{source}: {len(both)} images are for training (or validation) '
            'and for testing too, which makes the accuracy look better than '
            'it is: '
            f'{", ".join(both[:MAX_EXAMPLES])}'
            f'{", …" if len(both) > MAX_EXAMPLES else ""}.',
            logger='current',
            level=logging.WARNING,
        )


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
