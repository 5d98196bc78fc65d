"""Where the paper's data sets are to be had, and what should come of it.

Addresses and checksums are those of the data sets' authors, of CoOp's
DATASETS.md (split files) and of torchvision. What has no public source has
instructions instead.
"""

from dataclasses import dataclass

from mmcoop.datasets import COOP_DATASETS, IMAGENET_VARIANTS

DRIVE = (
    'https://drive.usercontent.google.com/download?id={}&export=download'
    '&confirm=t'
)


@dataclass(frozen=True)
class Download:
    """A file to get.

    Attributes:
        url (str): Where it is.
        file (str): What it is called here, within the data set's folder.
        makes (str): What is there once it is unpacked, within the data
            set's folder; ``file`` itself if it is no archive.
        inside (str): What of the archive becomes ``makes``; '' for all.
        md5 (str, optional): If published.
        archive_inside (str, optional): An archive in the archive, which is
            the one meant.
    """

    url: str
    file: str
    makes: str
    inside: str = ''
    md5: str | None = None
    archive_inside: str | None = None


@dataclass(frozen=True)
class Source:
    """All that makes up a data set.

    Attributes:
        downloads (tuple[Download]): In order.
        by_hand (str): What the user must do, if anything; ``{folder}`` is
            the data set's.
    """

    downloads: tuple[Download, ...] = ()
    by_hand: str = ''


def _split(name: str, drive_id: str) -> Download:
    file = COOP_DATASETS[name].split_file
    return Download(DRIVE.format(drive_id), file, file)


OXFORD = 'https://www.robots.ox.ac.uk/~vgg/data'
BERKELEY = 'https://people.eecs.berkeley.edu/~hendrycks'

SOURCES = {
    'caltech101': Source(
        (
            Download(
                'https://data.caltech.edu/records/mzrjq-6wc02/files/'
                'caltech-101.zip',
                'caltech-101.zip',
                '101_ObjectCategories',
                '101_ObjectCategories',
                '3138e1922a9193bfa496528edbbc45d0',
                'caltech-101/101_ObjectCategories.tar.gz',
            ),
            _split('caltech101', '1hyarUivQE36mY6jSomru6Fjd-JzwcCzN'),
        )
    ),
    'oxford_pets': Source(
        (
            Download(
                f'{OXFORD}/pets/data/images.tar.gz',
                'images.tar.gz',
                'images',
                'images',
                '5c4f3ee8e5d25df40f4fd59a7f44e54c',
            ),
            _split('oxford_pets', '1501r8Ber4nNKvmlFVQZ8SeUHTcdTTEqs'),
        )
    ),
    'stanford_cars': Source(
        (_split('stanford_cars', '1ObCFbaAgVu0I-k_Au-gIUcefirdAuizT'),),
        by_hand='Its authors no longer offer the images. Get cars_train.tgz '
        'and cars_test.tgz from somebody who has them, and unpack them so '
        'that {folder}/cars_train/00001.jpg and {folder}/cars_test/00001.jpg '
        'are there.',
    ),
    'oxford_flowers': Source(
        (
            Download(
                f'{OXFORD}/flowers/102/102flowers.tgz',
                '102flowers.tgz',
                'jpg',
                'jpg',
                '52808999861908f626f3c1f4e79d11fa',
            ),
            _split('oxford_flowers', '1Pp0sRXzZFZq15zVOzKjKBu4A9i01nozT'),
        )
    ),
    'food101': Source(
        (
            Download(
                'http://data.vision.ee.ethz.ch/cvl/food-101.tar.gz',
                'food-101.tar.gz',
                'images',
                'food-101/images',
                '85eeb15f3717b99a5da872d97d918f87',
            ),
            _split('food101', '1QK0tGi096I0Ba6kggatX1ee6dJFIcEJl'),
        )
    ),
    'fgvc_aircraft': Source(
        tuple(
            Download(
                f'{OXFORD}/fgvc-aircraft/archives/fgvc-aircraft-2013b.tar.gz',
                'fgvc-aircraft-2013b.tar.gz',
                name,
                f'fgvc-aircraft-2013b/data/{name}',
            )
            for name in (
                'images',
                'variants.txt',
                'images_variant_train.txt',
                'images_variant_val.txt',
                'images_variant_test.txt',
            )
        )
    ),
    'sun397': Source(
        (
            Download(
                'http://vision.princeton.edu/projects/2010/SUN/SUN397.tar.gz',
                'SUN397.tar.gz',
                'SUN397',
                'SUN397',
                '8ca2778205c41d23104230ba66911c7a',
            ),
            _split('sun397', '1y2RD81BYuiyvebdN-JymPfyWYcd8_MUq'),
        )
    ),
    'dtd': Source(
        (
            Download(
                f'{OXFORD}/dtd/download/dtd-r1.0.1.tar.gz',
                'dtd-r1.0.1.tar.gz',
                'images',
                'dtd/images',
                'fff73e5086ae6bdbea199a49dfb8a4c1',
            ),
            _split('dtd', '1u3_QfB467jqHgNXC00UIzbLZRQCg2S7x'),
        )
    ),
    'eurosat': Source(
        (
            Download(
                'http://madm.dfki.de/files/sentinel/EuroSAT.zip',
                'EuroSAT.zip',
                '2750',
                '2750',
                'c8fa014336c82ac7804f0398fcb19387',
            ),
            _split('eurosat', '1Ip7yaCWFi0eaOFUGga0lUdVi_DDQth1o'),
        )
    ),
    'ucf101': Source(
        (
            Download(
                DRIVE.format('10Jqome3vtUA2keJkNanAiFpgbyC9Hc2O'),
                'UCF-101-midframes.zip',
                'UCF-101-midframes',
                'UCF-101-midframes',
            ),
            _split('ucf101', '1I0S0q91hJfsV9Gf4xDIjgDq4AqBNJb1y'),
        )
    ),
    'imagenet': Source(
        by_hand='ImageNet is given out to registered users only: register '
        'at https://www.image-net.org, download the training and validation '
        'images of ILSVRC 2012, and unpack them as '
        '{folder}/train/CLASS/IMAGE.JPEG and {folder}/val/CLASS/IMAGE.JPEG, '
        'with the 1000 folder names like n01440764.'
    ),
    'imagenetv2': Source(
        (
            Download(
                'https://s3-us-west-2.amazonaws.com/imagenetv2public/'
                'imagenetv2-matched-frequency.tar.gz',
                'imagenetv2-matched-frequency.tar.gz',
                'imagenetv2-matched-frequency-format-val',
                'imagenetv2-matched-frequency-format-val',
            ),
        )
    ),
    'imagenet_sketch': Source(
        (
            Download(
                DRIVE.format('1Mj0i5HBthqH1p_yeXzsg22gZduvgoNeA'),
                'ImageNet-Sketch.zip',
                'images',
                'sketch',
            ),
        )
    ),
    'imagenet_a': Source(
        (
            Download(
                f'{BERKELEY}/imagenet-a.tar',
                'imagenet-a.tar',
                'imagenet-a',
                'imagenet-a',
            ),
        )
    ),
    'imagenet_r': Source(
        (
            Download(
                f'{BERKELEY}/imagenet-r.tar',
                'imagenet-r.tar',
                'imagenet-r',
                'imagenet-r',
                'a61312130a589d0ca1a8fca1f2bd3337',
            ),
        )
    ),
}


def folder_of(name: str) -> str:
    """Name a data set's folder.

    Args:
        name (str): A key of ``SOURCES``.

    Returns:
        str: Within the folder of all data sets.
    """
    facts = COOP_DATASETS.get(name) or IMAGENET_VARIANTS.get(name)
    return facts.folder if facts else name
