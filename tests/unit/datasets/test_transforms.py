import io

import numpy as np
import pytest
import torch
from mmengine.dataset import Compose, default_collate
from mmpretrain.registry import MODELS
from open_clip.transform import image_transform
from PIL import Image

from mmcoop.datasets import LoadImageFromFile
from mmcoop.registry import TRANSFORMS

CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
CLIP_STD = (0.26862954, 0.26130258, 0.27577711)


def noise(width, height, seed=0):
    rng = np.random.default_rng(seed)
    return Image.fromarray(
        rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
    )


def encoded(image, image_format, **kwargs):
    buffer = io.BytesIO()
    image.save(buffer, image_format, **kwargs)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ('width', 'height'),
    [(64, 64), (64, 65), (65, 64), (97, 64), (63, 64), (31, 29), (201, 118)]
    + [(119, 200), (1, 7), (7, 1), (333, 77), (128, 128), (100, 67)],
)
@pytest.mark.parametrize('size', [64, 33])
def test_test_pipeline_gives_what_open_clip_gives(
    tmp_path, width, height, size
):
    path = str(tmp_path / 'image.png')
    noise(width, height).save(path)
    pipeline = Compose(
        [
            TRANSFORMS.build(step)
            for step in (
                dict(type='mmcoop.LoadImageFromFile'),
                dict(
                    type='ResizeEdge',
                    scale=size,
                    edge='short',
                    backend='pillow',
                    interpolation='bicubic',
                ),
                dict(type='CenterCrop', crop_size=size),
                dict(type='PackInputs'),
            )
        ]
    )
    preprocessor = MODELS.build(
        dict(
            type='ClsDataPreprocessor',
            mean=[255 * value for value in CLIP_MEAN],
            std=[255 * value for value in CLIP_STD],
            to_rgb=True,
        )
    )
    batch = default_collate([pipeline(dict(img_path=path))])
    ours = preprocessor(batch)['inputs'][0]

    transform = image_transform(size, False, mean=CLIP_MEAN, std=CLIP_STD)
    theirs = transform(Image.open(path))
    # The pixels are the same; (x - 255 m) / 255 s rounds otherwise than
    # (x / 255 - m) / s, by a few float32 steps at most.
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-6)


# OpenCV does not know PCX.
@pytest.mark.parametrize('extension', ['jpg', 'pcx'])
def test_pixels_are_those_of_pillow_in_bgr(tmp_path, extension):
    path = str(tmp_path / f'image.{extension}')
    noise(9, 5).save(path)
    results = LoadImageFromFile()(dict(img_path=path))
    expected = np.array(Image.open(path))[:, :, ::-1]
    np.testing.assert_array_equal(results['img'], expected)
    assert results['img_shape'] == results['ori_shape'] == (5, 9)


@pytest.mark.parametrize('mode', ['L', 'P', 'RGBA', '1', 'CMYK'])
def test_any_mode_is_read_as_colour(tmp_path, mode):
    path = str(tmp_path / 'image.tif')
    image = noise(6, 4).convert(mode)
    image.save(path)
    results = LoadImageFromFile()(dict(img_path=path))
    expected = np.array(image.convert('RGB'))[:, :, ::-1]
    np.testing.assert_array_equal(results['img'], expected)


def test_exif_orientation_is_honoured_unless_switched_off(tmp_path):
    path = str(tmp_path / 'image.png')
    exif = Image.Exif()
    exif[0x0112] = 6  # Turn by 90 degrees to show.
    noise(6, 4).save(path, exif=exif)
    upright = LoadImageFromFile()(dict(img_path=path))
    stored = LoadImageFromFile(color_type='color_ignore_orientation')(
        dict(img_path=path)
    )
    assert upright['img_shape'] == (6, 4)
    assert stored['img_shape'] == (4, 6)


def test_loaded_image_is_left_as_it_is():
    results = dict(img=np.zeros((2, 3, 3), np.uint8), img_shape=(2, 3))
    assert LoadImageFromFile()(results) is results


@pytest.mark.parametrize('image_format', ['PNG', 'JPEG', 'WEBP', 'BMP'])
@pytest.mark.parametrize('kept', [0.0, 0.01, 0.5, 0.95])
def test_truncated_file_is_named(tmp_path, image_format, kept):
    content = encoded(noise(64, 48), image_format)
    path = tmp_path / 'broken.img'
    path.write_bytes(content[: int(kept * len(content))])
    with pytest.raises(OSError, match=r'broken\.img cannot be read as an'):
        LoadImageFromFile()(dict(img_path=str(path)))


@pytest.mark.parametrize('backend', ['pillow', 'cv2'])
@pytest.mark.parametrize('content', [b'', b'not an image', b'\x00' * 4096])
def test_file_that_is_no_image_is_named(tmp_path, backend, content):
    path = tmp_path / 'broken.jpg'
    path.write_bytes(content)
    with pytest.raises(OSError, match=r'broken\.jpg cannot be read as an'):
        LoadImageFromFile(imdecode_backend=backend)(dict(img_path=str(path)))


def test_missing_file_is_named(tmp_path):
    path = str(tmp_path / 'gone.jpg')
    with pytest.raises(FileNotFoundError, match=r'gone\.jpg does not exist'):
        LoadImageFromFile()(dict(img_path=path))
