"""CoOp, RN50, 16 shots, M = 16, SUN397.

    python tools/train.py configs/coop/rn50_16shot_sun397.py

Wants the images in `data/sun397`: `python tools/prepare_dataset.py sun397`.
Accuracy: not measured here.
"""

_base_ = [
    '../_base_/models/coop.py',
    '../_base_/datasets/sun397.py',
    '../_base_/schedules/coop_200e.py',
    '../_base_/default_runtime.py',
]

clip = dict(name='RN50-quickgelu', pretrained='openai')
model = dict(backbone=dict(clip=clip), head=dict(clip=clip))
