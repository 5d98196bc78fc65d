"""A user's own images: a folder per class, a CSV, or a split file."""

import csv
import io
import os
import random
from collections import defaultdict
from pathlib import Path

from PIL import Image

from mmcoop.registry import DATASETS
from mmcoop.text_files import read_text

from .coop_splits import read_split
from .data_checks import check_path, warn_of_leaks
from .subsets import CopiedSubsets

# (path, class name, split or '')
Items = list[tuple[str, str, str]]


@DATASETS.register_module()
class OwnImages(CopiedSubsets):
    """Images with class names, in training and test images.

    ``source`` is one of:

    - a folder with a folder of images per class;
    - a folder with ``train`` and ``test``, each such a folder;
    - a CSV with a head line: ``path,label`` or ``path,label,split``, where
      the label is the class name and paths are relative to the file or
      absolute;
    - a JSON file in CoOp's form (see :class:`CoOpSplit`), likewise.

    Where the source does not say which images are for testing, a share of
    each class is put aside, the same at every start.

    Args:
        source (str): Folder or file.
        split (str): 'train' or 'test'.
        test_share (float): Of each class's images, at least one, where they
            are not told apart.
        **kwargs: ``pipeline``, ``metainfo``, ``indices`` and whatever else
            mmpretrain's ``BaseDataset`` takes.

    Raises:
        FileNotFoundError: If there is no such folder or file.
        ValueError: If it has no images, or not in one of these forms.
    """

    def __init__(
        self,
        source: str,
        split: str = 'train',
        test_share: float = 0.2,
        **kwargs,
    ) -> None:
        if split not in ('train', 'test'):
            raise ValueError(f"split is {split!r}: choose 'train' or 'test'.")
        if not 0 < test_share < 1:
            raise ValueError(
                f'test_share is {test_share}: give a number between 0 and 1, '
                'like 0.2 for a fifth of the images of each class.'
            )
        self.source = Path(source).expanduser()
        self.split = split
        self.test_share = test_share
        super().__init__(ann_file='', **kwargs)

    def load_data_list(self) -> list[dict]:
        """List the images of the split, and learn the class names.

        Returns:
            list[dict]: One dict per image, ``img_path`` and ``gt_label``,
            sorted by class and path.
        """
        items = self._read()
        if any(not split for _, _, split in items):
            items = _put_aside(items, self.test_share)
        names = sorted({name for _, name, _ in items})
        self._metainfo.setdefault('classes', tuple(names))
        chosen = sorted(i for i in items if i[2] == self.split)
        if not chosen:
            raise ValueError(
                f'{self.source} has no images for {self.split!r}: '
                f'{len(items)} in all. {_FORMS}'
            )
        if self.split == 'test':
            train = [path for path, _, split in items if split == 'train']
            warn_of_leaks(train, [p for p, _, _ in chosen], str(self.source))
        labels = {name: label for label, name in enumerate(names)}
        data = [
            dict(img_path=path, gt_label=labels[name])
            for path, name, _ in chosen
        ]
        return sorted(data, key=lambda item: item['gt_label'])

    def _read(self) -> Items:
        source = self.source
        if source.is_dir():
            return _read_folder(source)
        if not source.is_file():
            raise FileNotFoundError(
                f'There is no {source.absolute()}. {_FORMS}'
            )
        if source.suffix.lower() == '.csv':
            return _read_csv(source)
        items = []
        for split in ('train', 'test'):
            entries, names = read_split(str(source), split)
            items += [
                (str(source.parent / path), names[label], split)
                for path, label in entries
            ]
        return items


_FORMS = (
    'Wanted: a folder with a folder of images per class (or with train/ and '
    'test/, each such a folder), a CSV with the head line path,label or '
    "path,label,split, or CoOp's split JSON."
)


def _read_folder(folder: Path) -> Items:
    parts = [folder / 'train', folder / 'test']
    if all(part.is_dir() for part in parts):
        return [
            (path, name, part.name)
            for part in parts
            for path, name, _ in _read_folder_of_classes(part)
        ]
    return _read_folder_of_classes(folder)


def _read_folder_of_classes(folder: Path) -> Items:
    endings = set(Image.registered_extensions())
    return [
        (str(path), entry.name, '')
        for entry in sorted(folder.iterdir())
        if entry.is_dir()
        for path in sorted(entry.rglob('*'))
        if path.suffix.lower() in endings
    ]


def _read_csv(file: Path) -> Items:
    reader = csv.DictReader(io.StringIO(read_text(file)), strict=True)
    items = []
    try:
        if not {'path', 'label'} <= set(reader.fieldnames or ()):
            raise ValueError(
                f'{file} has the head line {reader.fieldnames}. {_FORMS}'
            )
        for row in reader:
            where = f'{file}, line {reader.line_num},'
            if not row['path'] or not row['label']:
                raise ValueError(
                    f'{where} has path {row["path"]!r} and label '
                    f'{row["label"]!r}: every line needs both.'
                )
            if None in row:
                raise ValueError(
                    f'{where} has more values than the head line: put '
                    'quotation marks around a value with a comma.'
                )
            check_path(row['path'], where)
            path = os.path.join(file.parent, row['path'])
            items.append((path, row['label'], row.get('split') or ''))
    except csv.Error as error:
        raise ValueError(
            f'{file}, line {reader.line_num}, is no CSV ({error}). {_FORMS}'
        ) from error
    return items


def _put_aside(items: Items, test_share: float) -> Items:
    """Choose test images, by class, from a random stream of their own."""
    by_name = defaultdict(list)
    for path, name, _ in items:
        by_name[name].append(path)
    rng = random.Random(0)
    divided = []
    for name in sorted(by_name):
        paths = sorted(by_name[name])
        test = set(rng.sample(paths, max(1, round(test_share * len(paths)))))
        divided += [
            (path, name, 'test' if path in test else 'train') for path in paths
        ]
    return divided
