"""Put the paper's data sets where the configs look for them."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from mmengine.registry import DefaultScope

from mmcoop.datasets import (
    COOP_DATASETS,
    IMAGENET_VARIANTS,
    LoadImageFromFile,
)
from mmcoop.registry import DATASETS

from .downloads import SOURCES, folder_of
from .fetch import download, unpack


def prepare(
    name: str, root: str, say: Callable[[str], None] = print
) -> list[str]:
    """Get a data set, as far as it can be got.

    Args:
        name (str): A key of ``SOURCES``.
        root (str): The folder of all data sets.
        say (Callable): Called with a line on each step.

    Returns:
        list[str]: What the user must still do.

    Raises:
        FetchError: If a file cannot be had.
    """
    source = SOURCES[name]
    folder = Path(root, folder_of(name))
    for item in source.downloads:
        target, file = folder / item.makes, folder / item.file
        if target.exists():
            say(f'{target} is there')
            continue
        say(f'{item.url} -> {file}')
        download(item.url, file, item.md5, _percent(say))
        if target != file:
            say(f'{file} -> {target}')
            unpack(file, target, item.inside, item.archive_inside)
    if not source.by_hand:
        return []
    return [source.by_hand.format(folder=folder.absolute())]


def check(name: str, root: str, read: bool = True) -> list[str]:
    """List what is wrong with a data set on disk.

    Args:
        name (str): A key of ``SOURCES``.
        root (str): The folder of all data sets.
        read (bool): Whether every image is read; else only looked for.

    Returns:
        list[str]: A line per fault; none if all is well.
    """
    faults: list[str] = []
    paths: dict[str, None] = {}
    for split, config in _configs(name, root).items():
        try:
            with DefaultScope.overwrite_default_scope('mmpretrain'):
                dataset = DATASETS.build(config)
        except (FileNotFoundError, ValueError) as error:
            faults.append(str(error))
            continue
        infos = map(dataset.get_data_info, range(len(dataset)))
        paths.update((info['img_path'], None) for info in infos)
        facts = COOP_DATASETS.get(name)
        if facts is not None:
            wanted = dict(
                zip(('train', 'val', 'test'), facts.num_images, strict=True)
            )[split]
            if len(dataset) != wanted:
                faults.append(
                    f'{split} lists {len(dataset)} images instead of '
                    f'{wanted}: the split file is not the published one.'
                )
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        found = pool.map(lambda path: _fault(path, read), paths)
    return faults + [fault for fault in found if fault is not None]


def _configs(name: str, root: str) -> dict[str, dict]:
    """Give the config of each part of a data set."""
    if name in COOP_DATASETS:
        common = dict(type='mmcoop.CoOpSplit', name=name, data_root=root)
        return {s: dict(common, split=s) for s in ('train', 'val', 'test')}
    if name in IMAGENET_VARIANTS:
        kind = 'mmcoop.ImageNetVariant'
        return {'test': dict(type=kind, name=name, data_root=root)}
    common = dict(type='mmcoop.ImageNet', data_root=str(Path(root, name)))
    return {s: dict(common, split=s) for s in ('train', 'val')}


def _fault(path: str, read: bool) -> str | None:
    """Say what is wrong with an image."""
    if not os.path.isfile(path):
        return f'{path} is missing'
    if not read:
        return None
    try:
        LoadImageFromFile()(dict(img_path=path))
    except OSError as error:
        return str(error)
    return None


def _percent(say: Callable[[str], None]) -> Callable[[int, int | None], None]:
    """Report a download at every tenth."""
    last = -1

    def report(done: int, total: int | None) -> None:
        nonlocal last
        tenth = 10 * done // total if total else done >> 28
        if tenth != last:
            last = tenth
            of = f' of {total >> 20}' if total else ''
            say(f'  {done >> 20}{of} MiB')

    return report
