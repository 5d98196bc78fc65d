"""Data sets, wrappers around data sets, and steps of a data pipeline."""

from .batch_sampler import FullBatchSampler
from .emoji import Emoji
from .few_shot import FewShot, few_shot_indices
from .imagenet import ImageNet
from .transforms import LoadImageFromFile

__all__ = [
    'Emoji',
    'FewShot',
    'FullBatchSampler',
    'ImageNet',
    'LoadImageFromFile',
    'few_shot_indices',
]
