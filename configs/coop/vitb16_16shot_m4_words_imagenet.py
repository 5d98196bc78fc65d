"""CoOp, ViT-B/16, 16 shots, M = 4 from "a photo of a", ImageNet.

    python tools/train.py configs/coop/vitb16_16shot_m4_words_imagenet.py

Wants ImageNet in `data/imagenet` (`train/` and `val/`, a folder per class)
and downloads the weights once.
Accuracy: paper 71.51 (V2 64.20, Sketch 47.99, A 49.71, R 75.21); not measured
here.
"""

_base_ = [
    '../_base_/models/coop.py',
    '../_base_/datasets/imagenet.py',
    '../_base_/schedules/coop_50e.py',
    '../_base_/default_runtime.py',
]

clip = dict(name='ViT-B-16-quickgelu', pretrained='openai')
model = dict(
    backbone=dict(clip=clip),
    head=dict(
        clip=clip,
        # CLIP's names, not mmpretrain's, in the order of the sorted folders
        class_names='imagenet',
        prompt_learner=dict(num_context=4, ctx_init='a photo of a'),
    ),
)
