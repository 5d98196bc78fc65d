"""CoOp, RN101, 16 shots, M = 16, ImageNet.

    python tools/train.py configs/coop/rn101_16shot_imagenet.py

Wants ImageNet in `data/imagenet` (`train/` and `val/`, a folder per class)
and downloads the weights once.
Accuracy: not measured here.
"""

_base_ = [
    '../_base_/models/coop.py',
    '../_base_/datasets/imagenet.py',
    '../_base_/schedules/coop_50e.py',
    '../_base_/default_runtime.py',
]

clip = dict(name='RN101-quickgelu', pretrained='openai')
# CLIP's names, not mmpretrain's, in the order of the sorted folders
model = dict(
    backbone=dict(clip=clip), head=dict(clip=clip, class_names='imagenet')
)
