"""CoOp, RN50, 16 shots, M = 16, Flowers102.

    python tools/train.py configs/coop/rn50_16shot_oxford_flowers.py

Wants the images in `data/oxford_flowers`: `python tools/prepare_dataset.py
oxford_flowers`.
Accuracy: paper 94.68, 94.44 and 94.40 with seeds 1, 2 and 3; not measured
here.
"""

_base_ = [
    '../_base_/models/coop.py',
    '../_base_/datasets/oxford_flowers.py',
    '../_base_/schedules/coop_200e.py',
    '../_base_/default_runtime.py',
]

clip = dict(name='RN50-quickgelu', pretrained='openai')
model = dict(backbone=dict(clip=clip), head=dict(clip=clip))
