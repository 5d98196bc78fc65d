"""Everything that may be an image becomes one, or a word on why not."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from mmcoop.apis.images import (
    ImageError,
    list_images,
    name_images,
    to_sample,
    why_unreadable,
)
from mmcoop.datasets import LoadImageFromFile

PIXELS = np.random.default_rng(0).integers(0, 256, (6, 4, 3), np.uint8)


def test_folders_are_listed_in_order(images):
    (images / 'notes.txt').write_text('no image')
    found = [os.path.relpath(path, images) for path in list_images(images)]
    assert found == ['a.png', 'b/a.jpg', 'b/b.png', 'c.png', 'd.bmp']
    assert list_images(str(images)) == list_images(images)


def test_folders_among_images_are_looked_into(images, tmp_path):
    given = [Path('x.png'), PIXELS, str(images / 'b'), tmp_path]
    named = list(name_images(list_images(given)))
    names = [name for name, _ in named]
    a, b = (str(images / 'b' / name) for name in ('a.jpg', 'b.png'))
    assert names == ['x.png', 'image 1', a, b, str(tmp_path)]
    assert named[1][1] is PIXELS
    assert 'holds no images' in str(named[-1][1])


def test_one_image_is_one(images):
    for image in ('a.png', Path('a.png'), PIXELS, Image.fromarray(PIXELS)):
        assert list_images(image) == [image]
    assert len(list_images(np.stack([PIXELS] * 3))) == 3


def test_an_iterator_is_read_as_far_as_asked_for():
    taken = []
    given = (taken.append(n) or f'{n}.png' for n in range(10))
    named = name_images(list_images(given))
    assert taken == []
    assert [next(named)[0] for _ in range(2)] == ['0.png', '1.png']
    assert taken == [0, 1]


@pytest.mark.parametrize('images', [3, None, b'a.png', 1.5])
def test_what_is_no_image_is_refused(images):
    with pytest.raises(TypeError, match=f'{type(images).__name__}.*a folder'):
        list_images(images)


def test_an_empty_folder_is_refused(tmp_path):
    with pytest.raises(ImageError, match=f'{tmp_path} holds no images'):
        list_images(tmp_path)


@pytest.mark.parametrize('mode', ['RGB', 'L', 'LA', 'RGBA', 'P', '1', 'CMYK'])
def test_pillow_images_are_as_their_files(mode, tmp_path):
    image = Image.fromarray(PIXELS)
    image.putalpha(Image.fromarray(PIXELS[..., 0]))
    if mode != 'RGBA':
        image = image.convert('RGB' if mode == 'CMYK' else mode).convert(mode)
    path = tmp_path / ('a.tiff' if mode == 'CMYK' else 'a.png')
    image.save(path)
    from_file = LoadImageFromFile()(dict(img_path=str(path)))['img']
    sample = to_sample(image)
    assert np.array_equal(sample['img'], from_file)
    assert sample['img_shape'] == sample['ori_shape'] == (6, 4)


def test_pillow_images_are_turned_upright(tmp_path):
    image = Image.fromarray(PIXELS)
    image.getexif()[0x0112] = 6
    image.save(tmp_path / 'a.png', exif=image.getexif())
    sample = to_sample(Image.open(tmp_path / 'a.png'))
    assert sample['img'].shape == (4, 6, 3)
    path = str(tmp_path / 'a.png')
    from_file = LoadImageFromFile()(dict(img_path=path))['img']
    assert np.array_equal(sample['img'], from_file)


def test_arrays_are_bgr():
    assert to_sample(PIXELS)['img'] is PIXELS
    grey = to_sample(PIXELS[..., 0])['img']
    assert np.array_equal(grey, np.stack([PIXELS[..., 0]] * 3, axis=2))


@pytest.mark.parametrize(
    ('image', 'reason'),
    [
        (PIXELS / 255, 'float64'),
        (PIXELS[None], r'\(1, 6, 4, 3\)'),
        (PIXELS[..., :2], r'\(6, 4, 2\)'),
        (PIXELS[:0], r'\(0, 4, 3\)'),
        (PIXELS[0, 0], r'\(3,\)'),
        (torch.zeros(3, 4, 4), 'a Tensor is no image'),
        (None, 'a NoneType is no image'),
        ('nowhere.png', 'no such file'),
        (Path(os.devnull), 'no such file'),
        (Image.new('I;16', (4, 4)), "mode 'I;16'"),
        (Image.new('F', (4, 4)), "mode 'F'"),
    ],
)
def test_what_is_wrong_with_an_image_is_said(image, reason):
    with pytest.raises(ImageError, match=reason):
        to_sample(image)


def test_what_is_wrong_with_a_file_is_said(tmp_path):
    sound = tmp_path / 'a.png'
    Image.fromarray(PIXELS.repeat(20, axis=0)).save(sound)
    content = sound.read_bytes()
    for cut, reason in [
        (content[: len(content) // 2], 'truncated'),
        (b'', 'the file is no image'),
        (b'hello', 'the file is no image'),
    ]:
        sound.write_bytes(cut)
        with pytest.raises(OSError, match='cannot be read') as caught:
            LoadImageFromFile()(dict(img_path=str(sound)))
        assert reason in why_unreadable(caught.value)
