"""The log, and data sets in the right layout, of few and empty images."""

import json
import logging
from pathlib import Path

import pytest
from mmengine.logging import MMLogger

from mmcoop.datasets import COOP_DATASETS, IMAGENET_VARIANTS
from mmcoop.datasets.imagenet_variants import class_folders


@pytest.fixture
def log(caplog):
    """The warnings in mmengine's log, which keeps to itself."""
    logger = MMLogger.get_current_instance()
    caplog.handler.setLevel(logging.WARNING)
    logger.addHandler(caplog.handler)
    yield caplog
    logger.removeHandler(caplog.handler)


def make_split_data(name, root, images_per_class=3):
    """Write a split file of the right number of classes, and its images."""
    facts = COOP_DATASETS[name]
    folder = root / facts.folder
    items = [
        (f'{label:03d}/{index}.jpg', label, f'{facts.title} kind {label}')
        for label in range(facts.num_classes)
        for index in range(images_per_class)
    ]
    if facts.class_file:
        items = [
            (path.replace('/', '-'), label, name)
            for path, label, name in items
        ]
    for path, _, _ in items:
        file = folder / facts.image_folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    splits = ('train', 'val', 'test')
    if facts.class_file:
        names = dict.fromkeys(name for _, _, name in items)
        (folder / facts.class_file).write_text('\n'.join(names) + '\n')
        for split in splits:
            lines = [f'{Path(path).stem} {name}' for path, _, name in items]
            text = '\n'.join(lines) + '\n'
            (folder / facts.split_file.format(split)).write_text(text)
    else:
        content = dict.fromkeys(splits, items)
        (folder / facts.split_file).write_text(json.dumps(content))


def make_variant(name, root):
    """Make the class folders of a variant, with an image in each."""
    facts = IMAGENET_VARIANTS[name]
    for folder in class_folders(name):
        path = root / facts.folder / facts.image_folder / folder
        path.mkdir(parents=True)
        (path / 'image.JPEG').touch()


def make_imagenet(root):
    """Make ImageNet's folders, with an image in each."""
    for split in ('train', 'val'):
        for wnid in class_folders('imagenet_sketch'):
            path = root / 'imagenet' / split / wnid
            path.mkdir(parents=True)
            (path / f'{wnid}_1.JPEG').touch()


def make_own(root):
    """Make a folder per class, as a user may have it."""
    for name in ('cat', 'dog'):
        path = root / 'own' / name
        path.mkdir(parents=True)
        for index in range(4):
            (path / f'{index}.jpg').touch()


@pytest.fixture(scope='session')
def coop_data(tmp_path_factory):
    """The folder of all data sets of the paper."""
    root = tmp_path_factory.mktemp('coop') / 'data'
    for name in COOP_DATASETS:
        make_split_data(name, root)
    for name in IMAGENET_VARIANTS:
        make_variant(name, root)
    make_imagenet(root)
    make_own(root)
    return root
