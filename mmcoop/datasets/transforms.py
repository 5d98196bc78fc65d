"""Steps of a data pipeline."""

import io
import os
import stat
from typing import Any

import numpy as np
from mmcv.transforms import LoadImageFromFile as MMCVLoadImageFromFile
from mmengine import fileio
from PIL import Image, ImageOps

from mmcoop.registry import TRANSFORMS

# Where Pillow begins to warn: 256 MiB of RGB
MAX_PIXELS = 89_478_485
# Of a pixel with four channels of 16 bits; no file of an image has more.
MAX_BYTES_PER_PIXEL = 8


class TooLargeError(OSError):
    """An image has more pixels, or a file more bytes, than will be read."""


@TRANSFORMS.register_module()
class LoadImageFromFile(MMCVLoadImageFromFile):
    """Read an image as CLIP's own pipeline does, or say which one is broken.

    It differs from mmcv's transform of the same name in this:

    - Images are decoded by Pillow, which refuses a truncated file, while
      OpenCV 4 may fill it up with grey.
    - An error names the file and says what is wrong with it.
    - 16 bits of grey are scaled to 8; mmcv and Pillow clip them to white.
    - Transparency is dropped, as by CLIP and by the original implementation
      of CoOp: what counts is the colour below it. mmcv puts images of grey
      with alpha on a background of its own.
    - Of an animation the first frame counts.
    - An image of very many pixels is refused before it takes memory.
    - An image that is loaded already, as mmpretrain's inferencers do it, is
      left as it is.

    Args:
        to_float32 (bool): Whether ``img`` is float32 instead of uint8.
        color_type (str): ``'color'`` turns the image upright by its EXIF
            tag; ``'color_ignore_orientation'`` takes the pixels as stored,
            as the original implementation of CoOp does.
        imdecode_backend (str): What decodes: ``'pillow'``, ``'cv2'``,
            ``'turbojpeg'`` or ``'tifffile'``. What stands above on pixels
            is Pillow's alone.
        max_pixels (int): How many an image may have.
        backend_args (dict, optional): Which file backend of mmengine reads
            the bytes; by default the path's prefix decides.
    """

    def __init__(
        self,
        to_float32: bool = False,
        color_type: str = 'color',
        imdecode_backend: str = 'pillow',
        max_pixels: int = MAX_PIXELS,
        *,
        backend_args: dict | None = None,
    ) -> None:
        super().__init__(
            to_float32=to_float32,
            color_type=color_type,
            imdecode_backend=imdecode_backend,
            backend_args=backend_args,
        )
        self.max_pixels = max_pixels

    def transform(self, results: dict) -> dict:
        """Add the image at ``img_path``.

        Args:
            results (dict): A sample with ``img_path``, or with ``img``.

        Returns:
            dict: The sample with ``img``, an array (height, width, 3) in BGR
            order, uint8 or float32 in 0 to 255, and with ``img_shape`` and
            ``ori_shape``, its (height, width).

        Raises:
            FileNotFoundError: If there is no such file.
            PermissionError: If it may not be read.
            OSError: If the file cannot be read as an image.
        """
        if 'img' in results:
            return results
        path = results['img_path']
        try:
            self._check_file(path)
            if self.imdecode_backend != 'pillow':
                return super().transform(results)
            content = fileio.get(path, backend_args=self.backend_args)
            image = self._decode(content)
        except FileNotFoundError as error:
            raise FileNotFoundError(_missing(path)) from error
        except PermissionError as error:
            raise PermissionError(
                f'The image {path} may not be read ({error.strerror}): give '
                'the user who runs this the right to read it and to enter '
                'its folder.'
            ) from error
        except (
            TooLargeError,
            Image.DecompressionBombError,
            Image.DecompressionBombWarning,
        ) as error:
            raise TooLargeError(
                f'The image {path} is too large: {error}. At most '
                f'{self.max_pixels} pixels are read, since a small file can '
                'unpack to any number. Make the image smaller or, if it is '
                "meant, allow it by max_pixels in the pipeline's "
                'LoadImageFromFile.'
            ) from error
        # Pillow alone raises OSError, SyntaxError, ValueError, EOFError and
        # struct.error for broken files, and OpenCV has an error of its own.
        except Exception as error:
            raise OSError(
                f'The file {path} cannot be read as an image '
                f'({type(error).__name__}: {error}): it may be truncated, '
                'empty or no image at all. Replace it by a sound copy, or '
                'take it out of the data set.'
            ) from error
        if self.to_float32:
            image = image.astype(np.float32)
        results['img'] = image
        results['img_shape'] = results['ori_shape'] = image.shape[:2]
        return results

    def _check_file(self, path: str) -> None:
        """Refuse what would be waited for, or read for ever."""
        try:
            status = os.stat(path)
        except OSError:
            return  # Reading says why, or it is in another file system.
        if stat.S_ISDIR(status.st_mode):
            raise IsADirectoryError('it is a folder')
        if not stat.S_ISREG(status.st_mode):
            raise OSError('it is a device or a pipe')
        if status.st_size > MAX_BYTES_PER_PIXEL * self.max_pixels:
            raise TooLargeError(f'the file has {status.st_size} bytes')

    def _decode(self, content: bytes) -> np.ndarray:
        """Decode an image, (height, width, 3) in BGR order."""
        # Pillow's limit is the process's. Raising it is what was asked for.
        if self.max_pixels > (Image.MAX_IMAGE_PIXELS or self.max_pixels):
            Image.MAX_IMAGE_PIXELS = self.max_pixels
        with Image.open(io.BytesIO(content)) as image:
            # Nothing has been decoded yet.
            width, height = image.size
            if width * height > self.max_pixels:
                raise TooLargeError(
                    f'it has {width} x {height} = {width * height} pixels'
                )
            # Pillow would run another program on it.
            if image.format == 'EPS':
                raise ValueError('EPS is a program, not an image')
            if self.color_type == 'color':
                image = ImageOps.exif_transpose(image)
            return np.array(_to_rgb(image))[:, :, ::-1]


def _to_rgb(image: Image.Image) -> Image.Image:
    """Bring any mode of Pillow to RGB, without alpha."""
    # Grey of 16 bits; older versions of Pillow give it as of 32 bits.
    kind = image.format
    if image.mode.startswith('I;16') or (
        image.mode == 'I' and kind in ('PNG', 'PPM')
    ):
        # As Pillow does it with 16 bits per colour
        return Image.fromarray(
            (np.array(image) >> 8).astype(np.uint8)
        ).convert('RGB')
    if image.mode in ('I', 'F'):
        raise ValueError(
            f'its pixels are {"whole" if image.mode == "I" else "real"} '
            'numbers of 32 bits, and nothing says which is black and which '
            'white: convert it to 8 or 16 bits'
        )
    # Via RGBA, since Pillow warns of transparent palettes otherwise
    if image.mode == 'P' and 'transparency' in image.info:
        image = image.convert('RGBA')
    return image.convert('RGB')


def _missing(path: Any) -> str:
    what = f'The image {os.path.abspath(path)} '
    if os.path.islink(path):
        what += f'is a link to {os.readlink(path)}, which '
    return (
        f'{what}does not exist, but the data set lists it: put it there, or '
        'correct data_root, data_prefix or the annotation file.'
    )
