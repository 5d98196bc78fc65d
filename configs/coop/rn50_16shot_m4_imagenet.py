"""CoOp, RN50, 16 shots, M = 4, ImageNet.

    python tools/train.py configs/coop/rn50_16shot_m4_imagenet.py

Wants ImageNet in `data/imagenet` (`train/` and `val/`, a folder per class)
and downloads the weights once.
Accuracy: paper 63.33 (V2 55.40, Sketch 34.67, A 23.06, R 56.60); not measured
here.
"""

_base_ = [
    '../_base_/models/coop.py',
    '../_base_/datasets/imagenet.py',
    '../_base_/schedules/coop_50e.py',
    '../_base_/default_runtime.py',
]

clip = dict(name='RN50-quickgelu', pretrained='openai')
model = dict(
    backbone=dict(clip=clip),
    head=dict(
        clip=clip,
        # CLIP's names, not mmpretrain's, in the order of the sorted folders
        class_names='imagenet',
        prompt_learner=dict(num_context=4),
    ),
)
