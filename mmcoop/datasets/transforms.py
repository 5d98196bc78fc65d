"""Steps of a data pipeline."""

import os

from mmcv.transforms import LoadImageFromFile as MMCVLoadImageFromFile

from mmcoop.registry import TRANSFORMS


@TRANSFORMS.register_module()
class LoadImageFromFile(MMCVLoadImageFromFile):
    """Read an image as CLIP's own pipeline does, or say which one is broken.

    It differs from mmcv's transform of the same name in three points. Images
    are decoded by Pillow, which refuses a truncated file, while OpenCV 4 may
    fill it up with grey. An error names the file. And an image that is
    loaded already, as mmpretrain's inferencers do it, is left as it is.

    Args:
        to_float32 (bool): Whether ``img`` is float32 instead of uint8.
        color_type (str): ``'color'`` turns the image upright by its EXIF
            tag; ``'color_ignore_orientation'`` takes the pixels as stored,
            as the original implementation of CoOp does.
        imdecode_backend (str): What decodes: ``'pillow'``, ``'cv2'``,
            ``'turbojpeg'`` or ``'tifffile'``.
        backend_args (dict, optional): Which file backend of mmengine reads
            the bytes; by default the path's prefix decides.
    """

    def __init__(
        self,
        to_float32: bool = False,
        color_type: str = 'color',
        imdecode_backend: str = 'pillow',
        *,
        backend_args: dict | None = None,
    ) -> None:
        super().__init__(
            to_float32=to_float32,
            color_type=color_type,
            imdecode_backend=imdecode_backend,
            backend_args=backend_args,
        )

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
            OSError: If the file cannot be read as an image.
        """
        if 'img' in results:
            return results
        path = results['img_path']
        try:
            return super().transform(results)
        except FileNotFoundError as error:
            raise FileNotFoundError(
                f'The image {os.path.abspath(path)} does not exist, but the '
                'data set lists it: put it there, or correct data_root, '
                'data_prefix or the annotation file.'
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
