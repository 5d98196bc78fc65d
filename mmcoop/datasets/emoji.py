"""The embedded data set: drawings of 40 kinds of things."""

import csv
import hashlib
import io
import os
import tempfile
import zipfile
from pathlib import Path

from mmcoop.registry import DATASETS

from .subsets import CopiedSubsets

ASSETS = Path(__file__).parent.parent / 'assets'
ARCHIVE = ASSETS / 'emoji.zip'
ARCHIVE_SHA256 = (
    '95f68dc52dad38f1127146dcb4cfe08cf5a1aaa1b95aa4a3a52b5c2fa3bcd57c'
)
# The folder that holds everything in the archive.
ARCHIVE_FOLDER = 'emoji'


@DATASETS.register_module()
class Emoji(CopiedSubsets):
    """Emoji of 40 classes, 64 x 64 pixels, in up to eight drawing styles.

    The images come with mmcoop and are unpacked to ``data_root`` on first
    use, whole or not at all, also if several processes start at once. A
    split holds the images that the archive lists for it, sorted by path;
    other files in ``data_root`` do not matter. Where they come from and
    under which licences is in ``mmcoop/assets/README.md``.

    Args:
        data_root (str): Where the images are or will be. Either it does not
            exist, or it is empty, or it holds the unpacked images.
        split (str): ``'train'``; ``'test'``, other emoji in the styles of
            ``'train'``; or ``'test_fxemoji'``, ``'test_high_contrast'`` or
            ``'test_streamline'``, these other emoji in a style of their own.
        **kwargs: ``pipeline``, ``metainfo``, ``indices`` and whatever else
            mmpretrain's ``BaseDataset`` takes.

    Raises:
        ValueError: If there is no such split.
    """

    SPLITS = (
        'train',
        'test',
        'test_fxemoji',
        'test_high_contrast',
        'test_streamline',
    )
    METAINFO = {
        'classes': tuple(
            (ASSETS / 'class_names' / 'emoji.txt')
            .read_text(encoding='utf-8')
            .splitlines()
        )
    }

    def __init__(
        self, data_root: str = 'data/emoji', split: str = 'train', **kwargs
    ) -> None:
        if split not in self.SPLITS:
            raise ValueError(
                f'split is {split!r}, but the emoji data has only '
                f'{", ".join(map(repr, self.SPLITS))}: pass one of these.'
            )
        self.split = split
        super().__init__(
            ann_file='',
            data_root=os.path.expanduser(data_root),
            data_prefix=split,
            **kwargs,
        )

    def load_data_list(self) -> list[dict]:
        """List the images of the split, unpacking them if need be.

        Returns:
            list[dict]: One dict per image, ``img_path`` and ``gt_label``.

        Raises:
            OSError: If the archive or the unpacked images are damaged, or
                the images cannot be unpacked.
        """
        root = Path(self.data_root)
        with _open_archive() as archive:
            index = archive.read(f'{ARCHIVE_FOLDER}/index.csv').decode()
            # An index in place means that all is: see `_unpack`.
            if not (root / 'index.csv').is_file():
                _unpack(archive, root)
            rows = [
                row
                for row in csv.DictReader(io.StringIO(index))
                if row['split'] == self.split
            ]
            _check(archive, root, [row['path'] for row in rows])
        # By path, as a folder-per-class data set lists these images. The
        # label is from the index: some test splits lack some classes.
        return [
            {
                'img_path': os.path.join(self.data_root, row['path']),
                'gt_label': int(row['label']),
            }
            for row in sorted(rows, key=lambda row: row['path'])
        ]


def _open_archive() -> zipfile.ZipFile:
    """Open the archive that comes with mmcoop, if it is what it should be."""
    content = ARCHIVE.read_bytes()
    sha256 = hashlib.sha256(content).hexdigest()
    if sha256 != ARCHIVE_SHA256:
        raise OSError(
            f'{ARCHIVE} is damaged: its SHA-256 is {sha256}, not '
            f'{ARCHIVE_SHA256}. Install mmcoop again.'
        )
    return zipfile.ZipFile(io.BytesIO(content))


def _unpack(archive: zipfile.ZipFile, root: Path) -> None:
    """Unpack everything to ``root``, in one step as others see it."""
    try:
        root.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(
            prefix=f'.{root.name}-', dir=root.parent
        ) as folder:
            archive.extractall(folder)
            # A folder takes another's name only if that one is empty, so
            # the first of several processes wins and nothing is overwritten.
            os.rename(Path(folder, ARCHIVE_FOLDER), root)
    except OSError as error:
        if (root / 'index.csv').is_file():
            return  # Another process was faster.
        raise OSError(
            f'The emoji images cannot be unpacked to data_root '
            f'{root.absolute()}: {error}. Set data_root to a folder that can '
            'be written to, and that is empty or does not exist yet.'
        ) from error


def _check(archive: zipfile.ZipFile, root: Path, paths: list[str]) -> None:
    """Raise if an unpacked image is missing or has another size."""
    damaged = [
        path
        for path in paths
        if not (root / path).is_file()
        or (root / path).stat().st_size
        != archive.getinfo(f'{ARCHIVE_FOLDER}/{path}').file_size
    ]
    if damaged:
        raise OSError(
            f'{len(damaged)} of {len(paths)} emoji images in data_root '
            f'{root.absolute()} are missing or damaged, like {damaged[0]}. '
            'Delete that folder: the images are unpacked again on the next '
            'start.'
        )
