"""Data sets, wrappers around data sets, and steps of a data pipeline."""

from .base_new import BaseNew, classes_of_part
from .batch_sampler import FullBatchSampler
from .cached_features import CachedFeatures
from .coop_facts import COOP_DATASETS, IMAGENET_VARIANTS
from .coop_splits import CoOpSplit
from .emoji import Emoji
from .epoch_sampler import EpochSampler
from .feature_file import UnusableFeaturesError
from .few_shot import FewShot, few_shot_indices
from .imagenet import ImageNet
from .imagenet_variants import ImageNetVariant
from .keep_features import keep_features
from .own_images import OwnImages
from .seeded_samples import SampleIndex, SeededSamples
from .skip_broken import SkipBroken
from .transforms import LoadImageFromFile
from .unknown import Unknown

__all__ = [
    'COOP_DATASETS',
    'IMAGENET_VARIANTS',
    'BaseNew',
    'CachedFeatures',
    'CoOpSplit',
    'Emoji',
    'EpochSampler',
    'FewShot',
    'FullBatchSampler',
    'ImageNet',
    'ImageNetVariant',
    'LoadImageFromFile',
    'OwnImages',
    'SampleIndex',
    'SeededSamples',
    'SkipBroken',
    'Unknown',
    'UnusableFeaturesError',
    'classes_of_part',
    'few_shot_indices',
    'keep_features',
]
