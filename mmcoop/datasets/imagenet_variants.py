"""Test sets that share ImageNet's classes: V2, Sketch, A and R."""

import os
from pathlib import Path

from mmpretrain.datasets import ImageNet as MMPretrainImageNet

from mmcoop.registry import DATASETS

from .coop_facts import IMAGENET_VARIANTS
from .subsets import CopiedSubsets

ASSETS = Path(__file__).parent.parent / 'assets'
EXTENSIONS = MMPretrainImageNet.IMG_EXTENSIONS


@DATASETS.register_module()
class ImageNetVariant(CopiedSubsets):
    """A test set with classes of ImageNet, sorted by class and file name.

    Labels are ImageNet's, but for ImageNet-A and -R, which have images of
    200 classes: those are numbered 0 to 199 in the order of the sorted
    folders, and classified among themselves. A head for them needs
    ``class_names='imagenet_a'`` or ``'imagenet_r'``.

    Args:
        name (str): A key of ``IMAGENET_VARIANTS``.
        data_root (str): The folder of all data sets.
        **kwargs: ``pipeline``, ``indices`` and whatever else mmpretrain's
            ``BaseDataset`` takes.

    Raises:
        ValueError: If there is no such data set, or class folders are
            missing or too many.
        FileNotFoundError: If its folder is missing.
    """

    def __init__(self, name: str, data_root: str = 'data', **kwargs) -> None:
        if name not in IMAGENET_VARIANTS:
            raise ValueError(
                f'name is {name!r}: choose one of '
                f'{", ".join(IMAGENET_VARIANTS)}.'
            )
        self.name = name
        self.facts = IMAGENET_VARIANTS[name]
        # mmpretrain's names for V2 and Sketch, as `ImageNet` has them; heads
        # take CLIP's by `class_names`.
        classes = MMPretrainImageNet.METAINFO['classes']
        if self.facts.num_classes != len(classes):
            classes = _read(f'class_names/{self.facts.class_names}.txt')
        kwargs.setdefault('metainfo', dict(classes=classes))
        root = os.path.join(os.path.expanduser(data_root), self.facts.folder)
        super().__init__(
            ann_file='',
            data_root=root,
            data_prefix=self.facts.image_folder,
            **kwargs,
        )

    def load_data_list(self) -> list[dict]:
        """List the images.

        Returns:
            list[dict]: One dict per image, ``img_path`` and ``gt_label``.
        """
        folders = class_folders(self.name)
        self._check_folders(folders)
        return [
            dict(
                img_path=os.path.join(self.img_prefix, folder, file),
                gt_label=label,
            )
            for label, folder in enumerate(folders)
            for file in sorted(os.listdir(Path(self.img_prefix, folder)))
            if file.lower().endswith(EXTENSIONS)
        ]

    def _check_folders(self, wanted: tuple[str, ...]) -> None:
        """Refuse what is another data set, or only a part of this one."""
        if not os.path.isdir(self.img_prefix):
            raise FileNotFoundError(
                f'{self.facts.title} is not there: '
                f'{os.path.abspath(self.img_prefix)} does not exist. Run '
                f'`python tools/prepare_dataset.py {self.name} --root '
                f'{Path(self.data_root).parent}`, which gets it or says how.'
            )
        there = {e.name for e in os.scandir(self.img_prefix) if e.is_dir()}
        missing = sorted(set(wanted) - there)
        more = sorted(there - set(wanted))
        if missing or more:
            raise ValueError(
                f'{self.img_prefix} should hold the {len(wanted)} class '
                f'folders of {self.facts.title}: {len(missing)} are missing '
                f'({", ".join(missing[:3]) or "none"}) and {len(more)} are '
                f'no class ({", ".join(more[:3]) or "none"}). Unpack the '
                'archive of the data set again.'
            )


def class_folders(name: str) -> tuple[str, ...]:
    """Name the folders of a variant's classes.

    Args:
        name (str): A key of ``IMAGENET_VARIANTS``.

    Returns:
        tuple[str]: In label order.
    """
    facts = IMAGENET_VARIANTS[name]
    if facts.numbered:
        # Sorted as text, 10 would stand before 2.
        return tuple(map(str, range(facts.num_classes)))
    return _read(f'wnids/{facts.class_names}.txt')


def _read(asset: str) -> tuple[str, ...]:
    text = (ASSETS / asset).read_text(encoding='utf-8')
    return tuple(text.splitlines())
