"""Data sets whose training, validation and test images are in split files."""

import os
from pathlib import Path
from typing import Any

from mmcoop.registry import DATASETS
from mmcoop.text_files import read_json, read_lines

from .coop_facts import COOP_DATASETS, CoOpFacts
from .data_checks import check_path_inside, warn_of_leaks
from .subsets import CopiedSubsets

SPLITS = ('train', 'val', 'test')


@DATASETS.register_module()
class CoOpSplit(CopiedSubsets):
    """The images that a split file lists, in its order.

    One of the paper's data sets, in the layout that CoOp's authors publish::

        dict(type='mmcoop.CoOpSplit', name='dtd', data_root='data')

    or any other images with a split file in CoOp's JSON form,
    ``{"train": [[PATH, LABEL, CLASS NAME], …], "val": …, "test": …}``, with
    paths from ``data_root/image_folder`` on, and never out of it::

        dict(type='mmcoop.CoOpSplit', data_root='birds',
             split_file='split.json', image_folder='images')

    Args:
        name (str, optional): A key of ``COOP_DATASETS``. None: the split
            file is given instead.
        data_root (str): With ``name``, the folder of all data sets; without,
            the folder of this one.
        split (str): 'train', 'val' or 'test'.
        split_file (str, optional): Within ``data_root``.
        image_folder (str): Within ``data_root``.
        **kwargs: ``pipeline``, ``metainfo``, ``indices`` and whatever else
            mmpretrain's ``BaseDataset`` takes.

    Raises:
        ValueError: If there is no such data set or split, both or none of
            ``name`` and ``split_file`` are given, or the file is not in the
            form that it should have.
        FileNotFoundError: If the split file is missing.
    """

    def __init__(
        self,
        name: str | None = None,
        data_root: str = 'data',
        split: str = 'train',
        split_file: str | None = None,
        image_folder: str = '',
        **kwargs,
    ) -> None:
        if split not in SPLITS:
            raise ValueError(
                f'split is {split!r}: choose one of '
                f'{", ".join(map(repr, SPLITS))}.'
            )
        if (name is None) == (split_file is None):
            raise ValueError(
                f'name is {name!r} and split_file is {split_file!r}: give '
                "one of them, the name of one of the paper's data sets or "
                'the split file of your own.'
            )
        data_root = os.path.expanduser(data_root)
        self.name = name
        self.split = split
        self.class_file = None
        if name is not None:
            facts = _facts(name)
            data_root = os.path.join(data_root, facts.folder)
            split_file = facts.split_file
            image_folder = facts.image_folder
            self.class_file = facts.class_file
        super().__init__(
            ann_file=split_file,
            data_root=data_root,
            data_prefix=image_folder,
            **kwargs,
        )

    def load_data_list(self) -> list[dict]:
        """List the images of the split, and learn the class names.

        Returns:
            list[dict]: One dict per image, ``img_path`` and ``gt_label``.
        """
        try:
            if self.class_file is not None:
                items, names = self._read_text()
            else:
                items, names = read_split(self.ann_file, self.split)
        except FileNotFoundError as error:
            raise FileNotFoundError(self._how_to_get(error)) from error
        self._metainfo.setdefault('classes', names)
        return [
            dict(img_path=os.path.join(self.img_prefix, path), gt_label=label)
            for path, label in items
        ]

    def _read_text(self) -> tuple[list[tuple[str, int]], tuple[str, ...]]:
        """Read Aircraft's form: a file of names, and one per split."""
        class_file = Path(self.data_root, self.class_file)
        names = tuple(_lines(class_file))
        labels = {name: label for label, name in enumerate(names)}
        split_file = Path(self.ann_file.format(self.split))
        items = []
        for number, line in enumerate(_lines(split_file), start=1):
            image, _, name = line.partition(' ')
            check_path_inside(image, f'{split_file}, line {number},')
            if name not in labels:
                raise ValueError(
                    f'{split_file}, line {number}, has the class {name!r}, '
                    f'which {class_file} does not list: unpack the archive '
                    'of the data set again.'
                )
            items.append((f'{image}.jpg', labels[name]))
        return items, names

    def _how_to_get(self, error: FileNotFoundError) -> str:
        """Say what to do about a missing split file."""
        if self.name is None:
            what, advice = 'The data set', 'Correct data_root or split_file.'
        else:
            what = COOP_DATASETS[self.name].title
            advice = (
                f'Run `python tools/prepare_dataset.py {self.name} --root '
                f'{Path(self.data_root).parent}`, which gets it or says how.'
            )
        return (
            f'{what} is not there: {os.path.abspath(error.filename)} does '
            f'not exist. {advice}'
        )


def read_split(
    filename: str, split: str
) -> tuple[list[tuple[str, int]], tuple[str, ...]]:
    """Read a split file in CoOp's JSON form.

    Args:
        filename (str): Its path.
        split (str): 'train', 'val' or 'test'.

    Returns:
        tuple: The split's (path, label) in the file's order, and the names
        of all classes in label order.

    Raises:
        OSError: If the file cannot be opened.
        ValueError: If the file is in another form, a path leads out of the
            folder of images, a label has two names, or labels are left out.
    """
    try:
        content = read_json(filename)
        names: dict[int, str] = {}
        for part in SPLITS:
            for path, label, name in map(_checked_entry, content[part]):
                if names.setdefault(label, name) != name:
                    raise ValueError(
                        f'label {label} is {names[label]!r} and, for {path}, '
                        f'{name!r}'
                    )
        if sorted(names) != list(range(len(names))):
            raise ValueError('labels do not count 0, 1, 2, … without a gap')
    except (ValueError, TypeError, KeyError) as error:
        raise ValueError(
            f'{filename} is no split file ({type(error).__name__}: {error}). '
            'Wanted: JSON, {"train": [[PATH, LABEL, CLASS NAME], …], "val": '
            '[…], "test": […]}, with labels from 0 on. If it was downloaded, '
            'download it again.'
        ) from error
    if split == 'test':
        learned_from = [*content['train'], *content['val']]
        warn_of_leaks(
            [path for path, _, _ in learned_from],
            [path for path, _, _ in content['test']],
            filename,
        )
    items = [(path, label) for path, label, _ in content[split]]
    return items, tuple(names[label] for label in sorted(names))


def _checked_entry(entry: Any) -> tuple[str, int, str]:
    """Refuse an entry that is not a path, a label and a name."""
    if not isinstance(entry, list) or len(entry) != 3:
        raise ValueError(f'{_short(entry)} is not [PATH, LABEL, CLASS NAME]')
    path, label, name = entry
    if not isinstance(path, str) or not isinstance(name, str):
        raise TypeError(f'path and class name of {_short(entry)} are no texts')
    # `True` is an int to Python, and 1.0 equal to one.
    if type(label) is not int:
        raise TypeError(f'the label of {_short(entry)} is no whole number')
    check_path_inside(path, _short(entry))
    return path, label, name


def _short(entry: Any) -> str:
    text = repr(entry)
    return text if len(text) <= 200 else text[:199] + '…'


def _facts(name: str) -> CoOpFacts:
    if name not in COOP_DATASETS:
        raise ValueError(
            f'name is {name!r}: choose one of {", ".join(COOP_DATASETS)}; or '
            'give split_file and image_folder for images of your own.'
        )
    return COOP_DATASETS[name]


def _lines(path: Path) -> list[str]:
    return [line.strip() for line in read_lines(path) if line.strip()]
