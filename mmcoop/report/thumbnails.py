"""Small pictures of images, inside the page."""

import base64
import io
import warnings

from mmengine import fileio
from PIL import Image

# Of the longer side; twice what the page shows would be sharper on phones,
# at four times the size
PIXELS = 96
QUALITY = 82


def thumbnail(path: str | None) -> str | None:
    """Make a small picture of an image.

    Args:
        path (str, optional): Where the image is, as its data set says.

    Returns:
        str: A ``data:`` address of a JPEG; None if the image cannot be
        read, which is no reason to have no page.
    """
    if path is None:
        return None
    try:
        with warnings.catch_warnings():
            # Of files larger than any image that one would train on
            warnings.simplefilter('error', Image.DecompressionBombWarning)
            image = Image.open(io.BytesIO(fileio.get(path)))
            image.draft('RGB', (2 * PIXELS, 2 * PIXELS))
            image.thumbnail((PIXELS, PIXELS))
            image = _on_white(image)
    except Exception:  # of any of Pillow's readers
        return None
    buffer = io.BytesIO()
    image.save(buffer, 'JPEG', quality=QUALITY)
    content = base64.b64encode(buffer.getvalue()).decode('ascii')
    return f'data:image/jpeg;base64,{content}'


def _on_white(image: Image.Image) -> Image.Image:
    image = image.convert('RGBA')
    ground = Image.new('RGBA', image.size, 'white')
    return Image.alpha_composite(ground, image).convert('RGB')
