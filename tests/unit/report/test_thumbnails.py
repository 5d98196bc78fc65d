"""Small pictures, of whatever is there."""

import base64
import io

import numpy as np
import pytest
from PIL import Image

from mmcoop.report.thumbnails import PIXELS, thumbnail


def picture(address: str) -> Image.Image:
    head, _, content = address.partition(',')
    assert head == 'data:image/jpeg;base64'
    return Image.open(io.BytesIO(base64.b64decode(content)))


def test_a_large_image_becomes_small(tmp_path):
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 255, (600, 900, 3), np.uint8)
    path = tmp_path / 'a b.jpg'
    Image.fromarray(pixels).save(path)
    address = thumbnail(str(path))
    assert picture(address).size == (PIXELS, PIXELS * 2 // 3)
    assert len(address) < 20_000


def test_what_is_transparent_is_white(tmp_path):
    path = tmp_path / 'a.png'
    Image.new('RGBA', (8, 8), (0, 0, 0, 0)).save(path)
    assert picture(thumbnail(str(path))).getpixel((4, 4)) == (255, 255, 255)


@pytest.mark.parametrize('mode', ['1', 'L', 'P', 'LA', 'CMYK', 'I;16'])
def test_kinds_of_images(tmp_path, mode):
    path = tmp_path / 'a.tiff'
    Image.new(mode, (8, 8)).save(path)
    assert picture(thumbnail(str(path))).size == (8, 8)


def test_what_cannot_be_shown(tmp_path, monkeypatch):
    text = tmp_path / 'a.png'
    text.write_text('no image')
    broken = tmp_path / 'b.png'
    Image.effect_noise((64, 64), 50).save(broken)
    large = tmp_path / 'c.png'
    Image.new('L', (40, 40)).save(large)
    content = broken.read_bytes()
    broken.write_bytes(content[: len(content) // 2])
    for path in (None, str(text), str(broken), str(tmp_path / 'missing.png')):
        assert thumbnail(path) is None
    assert thumbnail(str(large)) is not None
    monkeypatch.setattr(Image, 'MAX_IMAGE_PIXELS', 1000)
    assert thumbnail(str(large)) is None
