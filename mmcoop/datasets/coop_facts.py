"""What is known of CoOp's data sets: the one table of their facts.

The layouts are those that the authors of CoOp publish, so a folder that was
made for the original code is read as it is.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class CoOpFacts:
    """The facts of one data set of the paper.

    Attributes:
        title (str): As tables and figures call it.
        folder (str): Within the folder of all data sets.
        image_folder (str): Within ``folder``; the split file's paths start
            there.
        split_file (str): Within ``folder``; ``{}`` stands for the split
            where each has a file of its own.
        class_file (str, optional): The class names in label order, where
            the split file does not tell them.
        num_images (tuple[int, int, int]): In train, val and test.
        num_classes (int): K.
        template (str): The hand-written prompt, with ``{}`` for the name.
    """

    title: str
    folder: str
    image_folder: str
    split_file: str
    num_images: tuple[int, int, int]
    num_classes: int
    template: str = 'a photo of a {}.'
    class_file: str | None = None


@dataclass(frozen=True)
class VariantFacts:
    """The facts of a test set with classes of ImageNet.

    Attributes:
        title (str): As tables call it.
        folder (str): Within the folder of all data sets.
        image_folder (str): Within ``folder``; holds a folder per class.
        num_classes (int): 1000, or the 200 that it has images of.
        class_names (str): The known set of names for ``class_names`` of a
            head.
        numbered (bool): Whether class folders are named 0 to 999 instead of
            by WordNet id.
        template (str): The hand-written prompt, with ``{}`` for the name.
    """

    title: str
    folder: str
    image_folder: str
    num_classes: int = 1000
    class_names: str = 'imagenet'
    numbered: bool = False
    template: str = 'a photo of a {}.'


# All that have split files; ImageNet is the eleventh, see `ImageNet`.
COOP_DATASETS = {
    'caltech101': CoOpFacts(
        title='Caltech101',
        folder='caltech-101',
        image_folder='101_ObjectCategories',
        split_file='split_zhou_Caltech101.json',
        num_images=(4128, 1649, 2465),
        num_classes=100,
    ),
    'oxford_pets': CoOpFacts(
        title='OxfordPets',
        folder='oxford_pets',
        image_folder='images',
        split_file='split_zhou_OxfordPets.json',
        num_images=(2944, 736, 3669),
        num_classes=37,
        template='a photo of a {}, a type of pet.',
    ),
    'stanford_cars': CoOpFacts(
        title='StanfordCars',
        folder='stanford_cars',
        image_folder='',
        split_file='split_zhou_StanfordCars.json',
        num_images=(6509, 1635, 8041),
        num_classes=196,
    ),
    'oxford_flowers': CoOpFacts(
        title='Flowers102',
        folder='oxford_flowers',
        image_folder='jpg',
        split_file='split_zhou_OxfordFlowers.json',
        num_images=(4093, 1633, 2463),
        num_classes=102,
        template='a photo of a {}, a type of flower.',
    ),
    'food101': CoOpFacts(
        title='Food101',
        folder='food-101',
        image_folder='images',
        split_file='split_zhou_Food101.json',
        num_images=(50500, 20200, 30300),
        num_classes=101,
        template='a photo of {}, a type of food.',
    ),
    'fgvc_aircraft': CoOpFacts(
        title='FGVCAircraft',
        folder='fgvc_aircraft',
        image_folder='images',
        split_file='images_variant_{}.txt',
        class_file='variants.txt',
        num_images=(3334, 3333, 3333),
        num_classes=100,
        template='a photo of a {}, a type of aircraft.',
    ),
    'sun397': CoOpFacts(
        title='SUN397',
        folder='sun397',
        image_folder='SUN397',
        split_file='split_zhou_SUN397.json',
        num_images=(15880, 3970, 19850),
        num_classes=397,
    ),
    'dtd': CoOpFacts(
        title='DTD',
        folder='dtd',
        image_folder='images',
        split_file='split_zhou_DescribableTextures.json',
        num_images=(2820, 1128, 1692),
        num_classes=47,
        template='{} texture.',
    ),
    'eurosat': CoOpFacts(
        title='EuroSAT',
        folder='eurosat',
        image_folder='2750',
        split_file='split_zhou_EuroSAT.json',
        num_images=(13500, 5400, 8100),
        num_classes=10,
        template='a centered satellite photo of {}.',
    ),
    'ucf101': CoOpFacts(
        title='UCF101',
        folder='ucf101',
        image_folder='UCF-101-midframes',
        split_file='split_zhou_UCF101.json',
        num_images=(7639, 1898, 3783),
        num_classes=101,
        template='a photo of a person doing {}.',
    ),
}

IMAGENET_VARIANTS = {
    'imagenetv2': VariantFacts(
        title='ImageNetV2',
        folder='imagenetv2',
        image_folder='imagenetv2-matched-frequency-format-val',
        numbered=True,
    ),
    'imagenet_sketch': VariantFacts(
        title='ImageNet-Sketch',
        folder='imagenet-sketch',
        image_folder='images',
    ),
    'imagenet_a': VariantFacts(
        title='ImageNet-A',
        folder='imagenet-adversarial',
        image_folder='imagenet-a',
        num_classes=200,
        class_names='imagenet_a',
    ),
    'imagenet_r': VariantFacts(
        title='ImageNet-R',
        folder='imagenet-rendition',
        image_folder='imagenet-r',
        num_classes=200,
        class_names='imagenet_r',
    ),
}
