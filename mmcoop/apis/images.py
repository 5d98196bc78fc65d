"""What images may be: paths, folders, arrays, Pillow's, or many of them."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

# What one image may be. See `Classifier.predict`.
ImageLike = str | os.PathLike | np.ndarray | Image.Image

_WANTED = (
    'give a path, a folder, a Pillow image, or an array (height, width, 3) '
    'of uint8 in BGR order'
)


class ImageError(ValueError):
    """An image cannot be used; the message says why, without its name."""


def list_images(images: ImageLike | Iterable[ImageLike]) -> Iterable[Any]:
    """Make one image, a folder or an array of images something to go through.

    Args:
        images (ImageLike | Iterable[ImageLike]): Or an iterable of images,
            of which nothing is read here.

    Returns:
        Iterable: A list, or the given iterable.

    Raises:
        TypeError: If these are no images.
        ImageError: If it is a folder without images.
    """
    if isinstance(images, str | os.PathLike) and os.path.isdir(images):
        return _files(os.fspath(images))
    if isinstance(images, np.ndarray) and images.ndim > 3:
        return list(images)
    if isinstance(images, ImageLike):
        return [images]
    if not isinstance(images, Iterable) or isinstance(images, bytes):
        raise TypeError(
            f'images is a {type(images).__name__}: {_WANTED}, or an iterable '
            'of these.'
        )
    return images


def name_images(
    images: Iterable[Any],
) -> Iterator[tuple[str, ImageLike | ImageError]]:
    """Go through images one at a time, and through the folders among them.

    Args:
        images (Iterable): See :func:`list_images`.

    Yields:
        tuple: A name for the image, and the image; or the folder's, and
        what is wrong with it.
    """
    for number, image in enumerate(images):
        if not isinstance(image, str | os.PathLike):
            yield f'image {number}', image
            continue
        path = os.fspath(image)
        if not os.path.isdir(path):
            yield path, path
            continue
        try:
            yield from ((file, file) for file in _files(path))
        except ImageError as error:
            yield path, error


def to_sample(image: Any) -> dict[str, Any]:
    """Turn one image into what a data pipeline starts from.

    Args:
        image (ImageLike): A path or an image.

    Returns:
        dict: ``img_path``; or ``img``, (height, width, 3) uint8, BGR.

    Raises:
        ImageError: If there is no such file, or this is no image.
    """
    if isinstance(image, str | os.PathLike):
        path = os.fspath(image)
        if '://' not in path and not os.path.isfile(path):
            raise ImageError('there is no such file')
        return dict(img_path=path)
    if isinstance(image, Image.Image):
        image = _from_pillow(image)
    if not isinstance(image, np.ndarray):
        raise ImageError(f'a {type(image).__name__} is no image: {_WANTED}')
    if image.ndim == 2:
        image = np.stack([image] * 3, axis=-1)
    if image.dtype != np.uint8 or image.shape[2:] != (3,) or not image.size:
        raise ImageError(
            f'an array of shape {image.shape} and type {image.dtype} is no '
            'image: give (height, width, 3) or (height, width), of uint8, '
            'in BGR order'
        )
    size = image.shape[:2]
    return dict(img=image, img_shape=size, ori_shape=size)


def why_unreadable(error: Exception) -> str:
    """Say in a line what is wrong with an image.

    Args:
        error (Exception): That making a sample or a data pipeline raised.

    Returns:
        str: The reason, without the image's name.
    """
    if isinstance(error, ImageError):
        return str(error)
    cause = error.__cause__ or error
    if isinstance(cause, UnidentifiedImageError):
        return 'the file is no image, or of a kind that Pillow does not know'
    reason = ' '.join(str(cause).split())
    return f'cannot be read as an image ({type(cause).__name__}: {reason})'


def _files(folder: str) -> list[str]:
    """List the images of a folder and of those within it, sorted."""
    endings = {
        ending
        for ending, kind in Image.registered_extensions().items()
        if kind in Image.OPEN
    }
    files = sorted(
        str(path)
        for path in Path(folder).rglob('*')
        if path.suffix.lower() in endings and path.is_file()
    )
    if not files:
        raise ImageError(
            f'the folder {os.path.abspath(folder)} holds no images: wanted '
            'files that end in .jpg, .png or whatever else Pillow reads'
        )
    return files


def _from_pillow(image: Image.Image) -> np.ndarray:
    """Give the pixels that reading the image from a file would give."""
    if image.mode[0] in 'IF':
        raise ImageError(
            f"a Pillow image of mode '{image.mode}' has more than 8 bits, and "
            "does not say which value is white: convert it to 'L' or 'RGB'"
        )
    image = ImageOps.exif_transpose(image)
    # Via RGBA, since Pillow warns of transparent palettes otherwise
    if image.mode == 'P':
        image = image.convert('RGBA')
    return np.asarray(image.convert('RGB'))[..., ::-1]
