"""CoOp, ViT-B/16, 16 shots, M = 16, ImageNet.

    python tools/train.py configs/coop/vitb16_16shot_imagenet.py

Wants ImageNet in `data/imagenet` (`train/` and `val/`, a folder per class)
and downloads the weights once. Accuracy: not measured here.
"""

_base_ = [
    '../_base_/models/coop.py',
    '../_base_/datasets/imagenet.py',
    '../_base_/schedules/coop_50e.py',
    '../_base_/default_runtime.py',
]

# CLIP's names, not mmpretrain's, in the order of the sorted folders
model = dict(head=dict(class_names='imagenet'))
