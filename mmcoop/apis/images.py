"""What images may be: paths, folders, arrays, Pillow's, or many of them."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps

# What one image may be. See `Classifier.predict`.
ImageLike = str | os.PathLike | np.ndarray | Image.Image
# (what to call it, its image or path or why there is none)
Found = tuple[str, ImageLike | Exception]


def find_images(images: ImageLike | Iterable[ImageLike]) -> Iterator[Found]:
    """Go through images of any kind, one at a time.

    Args:
        images (ImageLike | Iterable[ImageLike]): One image or folder, or an
            iterable of such, which is read as far as is asked for.

    Yields:
        tuple: A name for the image, and the image, path or error.

    Raises:
        TypeError: If these are no images.
        ValueError: If a folder, given alone, has no images.
    """
    if isinstance(images, np.ndarray) and images.ndim > 3:
        images = iter(images)
    if isinstance(images, ImageLike):
        yield from _of_one(images, 'image 0')
        return
    if not isinstance(images, Iterable):
        raise TypeError(
            f'images is a {type(images).__name__}: {WANTED}, or an iterable '
            'of such.'
        )
    for number, image in enumerate(images):
        try:
            yield from _of_one(image, f'image {number}')
        except ValueError as error:
            yield str(image), error


def count_images(images: Any) -> int | None:
    """Count images without reading them, where that is possible.

    Args:
        images (ImageLike | Iterable[ImageLike]): See :func:`find_images`.

    Returns:
        int | None: At least so many; None for an iterator.
    """
    if isinstance(images, str | os.PathLike | Image.Image):
        return None
    return len(images) if hasattr(images, '__len__') else None


def to_sample(image: Any) -> dict:
    """Turn one image into what a data pipeline starts from.

    Args:
        image (ImageLike): A path or an image.

    Returns:
        dict: ``img_path``, or ``img``: (height, width, 3) uint8, BGR.

    Raises:
        TypeError: If it is none.
        ValueError: If an array has another shape or type.
    """
    if isinstance(image, str | os.PathLike):
        path = os.fspath(image)
        if '://' not in path and not os.path.exists(path):
            raise FileNotFoundError(f'there is no file {path}')
        return dict(img_path=path)
    if isinstance(image, Image.Image):
        image = _from_pillow(image)
    if not isinstance(image, np.ndarray):
        raise TypeError(f'a {type(image).__name__} is no image: {WANTED}.')
    if image.ndim == 2:
        image = np.stack([image] * 3, axis=-1)
    if image.dtype != np.uint8 or image.shape[2:] != (3,) or not image.size:
        raise ValueError(
            f'an array of shape {image.shape} and type {image.dtype} is no '
            'image: give (height, width, 3) or (height, width), uint8, in '
            'BGR order.'
        )
    size = image.shape[:2]
    return dict(img=image, img_shape=size, ori_shape=size)


WANTED = (
    'give a path, a folder, a Pillow image, or an array (height, width, 3) '
    'of uint8 in BGR order'
)


def _of_one(image: ImageLike, name: str) -> Iterator[Found]:
    if not isinstance(image, str | os.PathLike):
        yield name, image
    elif os.path.isdir(image):
        yield from ((path, path) for path in _files(os.fspath(image)))
    else:
        yield os.fspath(image), image


def _files(folder: str) -> list[str]:
    """List the images of a folder and those within, sorted."""
    endings = {
        ending
        for ending, form in Image.registered_extensions().items()
        if form in Image.OPEN
    }
    files = sorted(
        str(path)
        for path in Path(folder).rglob('*')
        if path.suffix.lower() in endings and path.is_file()
    )
    if not files:
        raise ValueError(
            f'the folder {os.path.abspath(folder)} holds no images: wanted '
            'files that end in .jpg, .png or another of the endings that '
            'Pillow knows.'
        )
    return files


def _from_pillow(image: Image.Image) -> np.ndarray:
    """Give the pixels that reading the image from a file would give."""
    image = ImageOps.exif_transpose(image)
    return np.asarray(image.convert('RGB'))[..., ::-1]
