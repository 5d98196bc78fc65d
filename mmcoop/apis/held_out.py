"""Find images that nothing was learned from, to calibrate with."""

import hashlib
import logging
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from mmengine.config import Config
from mmengine.logging import print_log
from mmpretrain.registry import DATASETS

from .images import list_images

# Where held-out images may stand, the first that is there counts
LOADERS = ('val_dataloader', 'test_dataloader')

# What is built from a stored config, which may come from anyone: data sets
# that list images and read no pickles.
OF_MMPRETRAIN = ('ConcatDataset', 'CustomDataset', 'ImageNet', 'KFoldDataset')
OF_MMCOOP = (
    'BaseNew',
    'CoOpSplit',
    'Emoji',
    'FewShot',
    'ImageNet',
    'ImageNetVariant',
    'OwnImages',
    'Unknown',
)
KNOWN_TYPES = frozenset(
    [
        *OF_MMPRETRAIN,
        *(f'mmpretrain.{name}' for name in OF_MMPRETRAIN),
        *(f'mmcoop.{name}' for name in OF_MMCOOP),
    ]
)


class HeldOut(NamedTuple):
    """Images of known classes.

    Attributes:
        paths (list[str]): (N,).
        labels (list[int | None]): (N,), None where it is not known which
            class an image is of.
    """

    paths: list[str]
    labels: list[int | None]


def held_out_of_config(
    cfg: Config, num_classes: int, trusted: bool
) -> HeldOut:
    """List the images that a config validates with, else tests with.

    Args:
        cfg (Config): Of the training.
        num_classes (int): K. Images of other labels are left out: they are
            unknown ones.
        trusted (bool): Whether it is the user's own, not a checkpoint's.

    Returns:
        HeldOut: All of them labelled.

    Raises:
        FileNotFoundError: If the data are not there.
        ValueError: If there are no such images, or they were learned from.
    """
    name = next((n for n in LOADERS if cfg.get(n) is not None), None)
    if name is None:
        raise ValueError(
            f'the config has no {" and no ".join(LOADERS)}, so no held-out '
            'images: give a folder of them with --images.'
        )
    images = [
        (info['img_path'], info['gt_label'])
        for info in _infos(cfg[name].dataset, trusted)
        if 0 <= info.get('gt_label', -1) < num_classes
    ]
    if not images:
        raise ValueError(
            f'the data set of {name} has no images of the {num_classes} '
            'known classes: give a folder of them with --images.'
        )
    return HeldOut(*map(list, zip(*images, strict=True)))


def held_out_in_folder(
    folder: str | os.PathLike, class_names: Sequence[str]
) -> HeldOut:
    """List the images of a folder.

    Args:
        folder (str | os.PathLike): With images of known classes, which are
            labelled if they are in a folder with the name of their class.
        class_names (Sequence[str]): K names.

    Returns:
        HeldOut: In sorted order.

    Raises:
        FileNotFoundError: If there is no such folder.
        ValueError: If it has no images.
    """
    if not Path(folder).is_dir():
        raise FileNotFoundError(
            f'there is no folder {Path(folder).absolute()} of held-out '
            'images: correct --images.'
        )
    paths = list(list_images(folder))
    label_of = {name: label for label, name in enumerate(class_names)}
    return HeldOut(
        paths, [label_of.get(Path(path).parent.name) for path in paths]
    )


def learned_images(cfg: Config, trusted: bool) -> tuple[list, list]:
    """List the images that a config trains with, without reading them.

    Args:
        cfg (Config): Of the training.
        trusted (bool): See :func:`held_out_of_config`.

    Returns:
        tuple[list[str], list[int]]: Their paths and labels.

    Raises:
        OSError: If the data are not there.
        ValueError: If the config does not say which they are.
    """
    loader = cfg.get('train_dataloader')
    if loader is None:
        raise ValueError('the config has no train_dataloader')
    infos = list(_infos(loader.dataset, trusted))
    paths = [info['img_path'] for info in infos]
    return paths, [info['gt_label'] for info in infos]


def check_not_learned_from(
    held_out: HeldOut, cfg: Config, trusted: bool
) -> None:
    """Refuse images that the context was learned from.

    A model is surer of those than of any others. Copies count as well. Where
    the training images are not there to compare with, a warning says so.

    Args:
        held_out (HeldOut): The images.
        cfg (Config): Of the training.
        trusted (bool): See :func:`held_out_of_config`.

    Raises:
        ValueError: If there are any.
    """
    try:
        learned, _ = learned_images(cfg, trusted)
        same = _same_files(held_out.paths, learned)
    # Whatever data there were, they need not be on this machine.
    except (OSError, ValueError) as error:
        print_log(
            'Whether the context was learned from the held-out images could '
            'not be checked, since the training images cannot be listed '
            f'({error}). A threshold from images it was learned from rejects '
            'too many others.',
            logger='current',
            level=logging.WARNING,
        )
        return
    if same:
        raise ValueError(
            f'{len(same)} of {len(held_out.paths)} held-out images were '
            f'learned from, like {same[0]}: the model is surer of those than '
            'of any others, and would reject too many. Give other images, '
            'with --images or as val_dataloader in --config.'
        )


def _infos(dataset: dict, trusted: bool) -> Iterator[dict]:
    """Give what a data set lists, without reading images."""
    dataset = _listing_only(dataset)
    if not trusted:
        _check_types(dataset)
    try:
        built = DATASETS.build(dict(dataset, _scope_='mmpretrain'))
    # Of names that are not registered, and of arguments that do not fit
    except (KeyError, TypeError) as error:
        raise ValueError(
            f'the data set {dataset.get("type")} cannot be built: {error}'
        ) from error
    return (built.get_data_info(index) for index in range(len(built)))


def _listing_only(node: Any) -> Any:
    """Leave out what prepares images; take images for their features."""
    if isinstance(node, list | tuple):
        return [_listing_only(item) for item in node]
    if not isinstance(node, dict):
        return node
    if node.get('type') == 'mmcoop.CachedFeatures':
        return _listing_only(node['dataset'])
    return {k: _listing_only(v) for k, v in node.items() if k != 'pipeline'}


def _check_types(node: Any) -> None:
    """Refuse a data set that could run code from a checkpoint."""
    if isinstance(node, list | tuple):
        for item in node:
            _check_types(item)
    if not isinstance(node, dict):
        return
    known = 'type' not in node or str(node['type']) in KNOWN_TYPES
    if '_scope_' in node or not known:
        raise ValueError(
            f"the checkpoint's config names the data set {node.get('type')}, "
            'which is not built from a checkpoint, since it could run code. '
            'If you trust where it comes from, pass the config that it was '
            'trained with: --config FILE.'
        )
    _check_types(list(node.values()))


def _same_files(paths: list[str], others: list[str]) -> list[str]:
    """Find those files that are among others, by content."""
    sizes = {os.path.getsize(path) for path in paths}
    contents = {
        _checksum(path) for path in others if os.path.getsize(path) in sizes
    }
    sizes = {os.path.getsize(path) for path in others}
    return [
        path
        for path in paths
        if os.path.getsize(path) in sizes and _checksum(path) in contents
    ]


def _checksum(path: str) -> bytes:
    return hashlib.sha256(Path(path).read_bytes()).digest()
