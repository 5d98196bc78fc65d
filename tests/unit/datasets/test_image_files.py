"""Each kind of file is read rightly, or named with what is wrong with it.

The table of docs/reliability.md is this file.
"""

import io
import os
import warnings
import zlib

import numpy as np
import pytest
from mmpretrain.datasets import CustomDataset
from PIL import Image

from mmcoop.datasets import FewShot, LoadImageFromFile, SkipBroken
from mmcoop.datasets.skip_broken import find_broken

SIZE = (6, 4)  # width, height


def gradient():
    """RGB pixels (4, 6, 3), all of them different."""
    steps = np.arange(24, dtype=np.uint8).reshape(4, 6)
    return np.stack([10 * steps, 250 - 10 * steps, 3 * steps], axis=-1)


def encoded(image, kind, **kwargs):
    buffer = io.BytesIO()
    image.save(buffer, kind, **kwargs)
    return buffer.getvalue()


def png_claiming(width, height):
    """Write a PNG of any size in less than 100 bytes."""
    content = encoded(Image.new('1', (1, 1)), 'PNG')
    header = width.to_bytes(4, 'big') + height.to_bytes(4, 'big')
    chunk = b'IHDR' + header + content[24:29]
    checksum = zlib.crc32(chunk).to_bytes(4, 'big')
    return content[:12] + chunk + checksum + content[33:]


def read(path, **kwargs):
    """Give what the data pipeline gets, as RGB."""
    return LoadImageFromFile(**kwargs)(dict(img_path=str(path)))['img'][
        :, :, ::-1
    ]


def with_alpha(mode):
    alpha = np.full((4, 6, 1), 7, np.uint8)
    colour = gradient() if mode == 'RGBA' else gradient()[:, :, :1]
    return Image.fromarray(np.concatenate([colour, alpha], axis=-1), mode=None)


def palette(**kwargs):
    image = Image.new('P', (2, 1))
    image.putpalette([200, 0, 0, 0, 100, 50])
    image.putpixel((1, 0), 1)
    return encoded(image, 'PNG', **kwargs)


def frames(kind, **kwargs):
    first, *others = (
        Image.new('RGB', SIZE, colour)
        for colour in ('#ff0000', '#00ff00', '#0000ff')
    )
    return encoded(
        first, kind, save_all=True, append_images=others, duration=9, **kwargs
    )


def grey16(kind, values=(0, 255, 256, 32768, 65535)):
    return encoded(Image.fromarray(np.array([values], np.uint16)), kind)


def exif(kind, orientation):
    tags = Image.Exif()
    tags[0x0112] = orientation
    return encoded(Image.fromarray(gradient()), kind, exif=tags)


RED = np.broadcast_to([255, 0, 0], (4, 6, 3))
GREY = gradient()[:, :, :1].repeat(3, axis=2)
SCALED = np.array([[[v] * 3 for v in (0, 0, 1, 128, 255)]])
TWO = np.array([[[200, 0, 0], [0, 100, 50]]])
BLACK_INK = Image.new('CMYK', SIZE, (0, 255, 255, 0))

READ_RIGHTLY = {
    'grey': (encoded(Image.fromarray(GREY[:, :, 0]), 'PNG'), GREY),
    'grey and alpha': (encoded(with_alpha('LA'), 'PNG'), GREY),
    'colour and alpha': (encoded(with_alpha('RGBA'), 'PNG'), gradient()),
    'palette': (palette(), TWO),
    'palette, a colour transparent': (palette(transparency=1), TWO),
    'palette, transparent by degrees': (
        palette(transparency=b'\x00\x80'),
        TWO,
    ),
    '16 bits of grey, PNG': (grey16('PNG'), SCALED),
    '16 bits of grey, TIFF': (grey16('TIFF'), SCALED),
    'black and white': (
        encoded(Image.new('1', SIZE, 1), 'PNG'),
        np.full((4, 6, 3), 255),
    ),
    'animated GIF': (frames('GIF'), RED),
    'animated WebP': (frames('WEBP', lossless=True), RED),
    'animated PNG': (frames('PNG'), RED),
    'several pages of TIFF': (frames('TIFF'), RED),
    'CMYK, TIFF': (encoded(BLACK_INK, 'TIFF'), RED),
    'EXIF says mirrored': (exif('PNG', 2), gradient()[:, ::-1]),
    'EXIF says upside down': (exif('PNG', 3), gradient()[::-1, ::-1]),
    'EXIF says turned': (exif('PNG', 6), np.rot90(gradient(), -1)),
    'EXIF has no such turn': (exif('PNG', 99), gradient()),
    'another ending': (
        encoded(Image.fromarray(gradient()), 'BMP'),
        gradient(),
    ),
}


@pytest.mark.parametrize('kind', READ_RIGHTLY)
def test_read_rightly(tmp_path, kind):
    content, expected = READ_RIGHTLY[kind]
    path = tmp_path / 'image.jpg'
    path.write_bytes(content)
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        np.testing.assert_array_equal(read(path), expected)


@pytest.mark.parametrize('kind', ['PNG', 'TIFF'])
def test_16_bits_per_colour_are_scaled(tmp_path, kind):
    # Pillow writes none: OpenCV does, and has the channels the other way.
    cv2 = pytest.importorskip('cv2')
    values = np.array([0, 255, 256, 32768, 65535], np.uint16)
    pixels = np.repeat(values[None, :, None], 3, axis=2)
    path = tmp_path / f'image.{kind.lower()}'
    cv2.imwrite(str(path), pixels)
    np.testing.assert_array_equal(read(path), SCALED)


def test_cmyk_jpeg_is_read_in_its_colours(tmp_path):
    path = tmp_path / 'image.jpg'
    BLACK_INK.save(path, 'JPEG', quality=100, subsampling=0)
    with Image.open(path) as image:
        assert image.mode == 'CMYK'
    assert np.abs(read(path).astype(int) - RED).max() <= 2


def test_exif_of_jpeg_is_honoured(tmp_path):
    path = tmp_path / 'image.jpg'
    path.write_bytes(exif('JPEG', 6))
    assert read(path).shape == (6, 4, 3)
    stored = read(path, color_type='color_ignore_orientation')
    assert stored.shape == (4, 6, 3)


JPEG = encoded(Image.fromarray(gradient()).resize((64, 64)), 'JPEG')
REPORTED = {
    'empty': (b'', 'cannot be read as an image'),
    'truncated': (JPEG[: len(JPEG) // 2], 'cannot be read as an image'),
    'text': (b'not an image\n', 'cannot be read as an image'),
    'web page': (b'<!DOCTYPE html><html>gone', 'cannot be read as an image'),
    'zeros': (bytes(4096), 'cannot be read as an image'),
    'archive': (b'PK\x03\x04' + bytes(99), 'cannot be read as an image'),
    'whole numbers of 32 bits': (
        encoded(Image.fromarray(np.array([[0, 70000]], np.int32)), 'TIFF'),
        'nothing says which is black',
    ),
    'real numbers': (
        encoded(Image.fromarray(np.array([[0, 0.5]], np.float32)), 'TIFF'),
        'nothing says which is black',
    ),
    'program (EPS)': (
        encoded(Image.fromarray(gradient()), 'EPS'),
        'EPS is a program, not an image',
    ),
    'bomb': (png_claiming(100_000, 100_000), 'too large.*10000000000 pixels'),
    'small bomb': (png_claiming(10_000, 9_000), 'too large.*90000000 pixels'),
}


@pytest.mark.parametrize('kind', REPORTED)
def test_reported(tmp_path, kind):
    content, message = REPORTED[kind]
    path = tmp_path / 'broken.jpg'
    path.write_bytes(content)
    with pytest.raises(OSError, match=message) as error:
        read(path)
    assert str(path) in str(error.value)


def test_bomb_takes_no_memory_and_says_how_to_allow_it(tmp_path):
    tracemalloc = pytest.importorskip('tracemalloc')
    path = tmp_path / 'bomb.png'
    path.write_bytes(png_claiming(9_000, 9_000))
    tracemalloc.start()
    with pytest.raises(OSError, match='allow it by max_pixels'):
        read(path, max_pixels=9_000 * 9_000 - 1)
    assert tracemalloc.get_traced_memory()[1] < 1 << 20
    tracemalloc.stop()


def test_larger_images_can_be_allowed(tmp_path, monkeypatch):
    monkeypatch.setattr(Image, 'MAX_IMAGE_PIXELS', 10)
    path = tmp_path / 'large.png'
    Image.new('RGB', (10, 9)).save(path)
    with pytest.raises(OSError, match='too large: .*90 pixels'):
        read(path, max_pixels=10)
    assert read(path, max_pixels=90).shape == (9, 10, 3)


def test_huge_file_is_not_read(tmp_path):
    path = tmp_path / 'huge.jpg'
    with open(path, 'wb') as file:
        file.truncate(1 << 40)  # of holes
    with pytest.raises(OSError, match='too large: the file has 1099511627776'):
        read(path)


def test_dangling_link_is_reported(tmp_path):
    path = tmp_path / 'link.jpg'
    path.symlink_to(tmp_path / 'gone.jpg')
    with pytest.raises(
        FileNotFoundError, match=r'link\.jpg is a link to .*gone\.jpg, which'
    ):
        read(path)


def test_folder_called_like_an_image_is_reported(tmp_path):
    (tmp_path / 'folder.jpg').mkdir()
    with pytest.raises(OSError, match=r'folder\.jpg .*it is a folder'):
        read(tmp_path / 'folder.jpg')


def test_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / 'pipe.jpg')
    with pytest.raises(OSError, match=r'pipe\.jpg .*a device or a pipe'):
        read(tmp_path / 'pipe.jpg')


def test_device_is_not_read_for_ever(tmp_path):
    (tmp_path / 'zero.jpg').symlink_to('/dev/zero')
    with pytest.raises(OSError, match=r'zero\.jpg .*a device or a pipe'):
        read(tmp_path / 'zero.jpg')


@pytest.fixture
def nobody(tmp_path):
    """Let root be a user for whom permissions count."""
    tmp_path.chmod(0o755)
    is_root = os.geteuid() == 0
    if is_root:
        os.seteuid(65534)
    yield
    if is_root:
        os.seteuid(0)


def test_image_that_may_not_be_read_is_reported(tmp_path, request):
    path = tmp_path / 'secret.jpg'
    path.write_bytes(JPEG)
    path.chmod(0)
    request.getfixturevalue('nobody')
    with pytest.raises(OSError, match=r'secret\.jpg may not be read'):
        read(path)


# ---- Through a data set


@pytest.fixture
def folder(tmp_path):
    """Three classes of eight images; half of those of one are broken."""
    for label, name in enumerate(('ant', 'bee', 'cat')):
        (tmp_path / name).mkdir()
        for index in range(8):
            shade = 40 * label + index
            Image.new('L', SIZE, shade).save(tmp_path / name / f'{index}.png')
    for index in (0, 2, 4, 6):
        (tmp_path / 'bee' / f'{index}.png').write_bytes(JPEG[:200])
    return tmp_path


def images(folder):
    return CustomDataset(
        data_root=str(folder),
        pipeline=[
            dict(type='mmcoop.LoadImageFromFile'),
            dict(type='PackInputs'),
        ],
    )


def paths(dataset):
    return [dataset.get_data_info(i)['img_path'] for i in range(len(dataset))]


def test_broken_image_is_an_error_of_the_data_set_that_names_it(folder):
    dataset = FewShot(images(folder), num_shots=-1)
    with pytest.raises(OSError, match=r'bee/0\.png cannot be read as an'):
        dataset[8]


def test_shots_are_of_sound_images_if_asked_for(folder, log):
    plain = FewShot(images(folder), num_shots=4, seed=2)
    sound = FewShot(images(folder), num_shots=4, seed=2, skip_broken=True)
    before, after = paths(plain), paths(sound)
    was_broken = [find_broken(plain, [i]) != {} for i in range(len(plain))]
    assert 0 < sum(was_broken) < 4
    # In the place of a broken shot stands a sound one of its class.
    for old, new, broken in zip(before, after, was_broken, strict=True):
        assert (old != new) == broken
        assert os.path.dirname(old) == os.path.dirname(new)
    assert len(set(after)) == len(after) == 12
    assert find_broken(sound, range(12)) == {}
    assert sound.get_gt_labels().tolist() == plain.get_gt_labels().tolist()
    assert paths(
        FewShot(images(folder), num_shots=4, seed=2, skip_broken=True)
    ) == (after)
    # All are named, with the reason and what came in their place.
    for old, new, broken in zip(before, after, was_broken, strict=True):
        assert (f'{old}: ' in log.text) == broken
        assert (f'in its place: {new}' in log.text) == broken
    assert 'images drawn cannot be read and are skipped' in log.text


def test_class_with_too_few_sound_images_gives_what_it_has(folder, log):
    shots = FewShot(images(folder), num_shots=6, seed=1, skip_broken=True)
    assert shots.get_gt_labels().tolist() == [0] * 6 + [1] * 4 + [2] * 6
    everything = FewShot(images(folder), num_shots=-1, skip_broken=True)
    assert len(everything) == 20
    assert '4 of the images drawn cannot be read' in log.text


def test_class_without_sound_images_is_refused(folder):
    for index in range(8):
        (folder / 'bee' / f'{index}.png').write_bytes(b'')
    with pytest.raises(ValueError, match='no image can be read of 1 classes'):
        FewShot(images(folder), num_shots=1, skip_broken=True)


def test_skipping_of_all_that_is_broken(folder, log):
    (folder / 'cat' / '7.png').write_bytes(b'<html>')
    dataset = SkipBroken(images(folder))
    assert len(dataset) == 19
    assert dataset.metainfo['classes'] == ('ant', 'bee', 'cat')
    assert '5 of 24 images cannot be read and are skipped' in log.text
    assert 'cat/7.png: UnidentifiedImageError' in log.text
    labels = [dataset.get_cat_ids(i) for i in range(19)]
    assert [s['data_samples'].gt_label.tolist() for s in dataset] == labels
    assert labels == [[0]] * 8 + [[1]] * 4 + [[2]] * 7


def test_dangling_link_is_skipped_with_its_reason(folder, log):
    (folder / 'cat' / '7.png').unlink()
    (folder / 'cat' / '7.png').symlink_to('gone')
    everything = [
        SkipBroken(dict(type='mmcoop.OwnImages', source=str(folder), split=s))
        for s in ('train', 'test')
    ]
    assert sum(map(len, everything)) == 8 + 4 + 7
    assert 'cat/7.png: FileNotFoundError' in log.text


def test_nothing_is_said_if_nothing_is_broken(folder, log):
    for index in (0, 2, 4, 6):
        Image.new('L', SIZE).save(folder / 'bee' / f'{index}.png')
    plain = FewShot(images(folder), num_shots=4)
    assert paths(
        FewShot(images(folder), num_shots=4, skip_broken=True)
    ) == paths(plain)
    assert len(SkipBroken(images(folder))) == 24
    assert log.text == ''


def test_no_sound_image_at_all_is_refused(folder):
    for path in folder.rglob('*.png'):
        path.write_bytes(b'')
    with pytest.raises(ValueError, match='none of the 24 images can be read'):
        SkipBroken(images(folder))
