"""Hand-written prompts, RN50, ImageNet.

    python tools/test.py configs/zero_shot/rn50_imagenet.py

Wants ImageNet in `data/imagenet` (`train/` and `val/`, a folder per class)
and downloads the weights once.
Accuracy: paper 58.18 with the one prompt; not measured here.
"""

_base_ = [
    '../_base_/models/zero_shot.py',
    '../_base_/datasets/imagenet.py',
    '../_base_/default_runtime.py',
]

clip = dict(name='RN50-quickgelu', pretrained='openai')
model = dict(backbone=dict(clip=clip), head=dict(clip=clip))

# one evaluation: there is nothing to train
train_dataloader = None
val_dataloader = None
val_evaluator = None
test_cfg = dict()
