"""CoOp, RN50, 16 shots, M = 16, Food101.

    python tools/train.py configs/coop/rn50_16shot_food101.py

Wants the images in `data/food-101`: `python tools/prepare_dataset.py food101`.
Accuracy: not measured here.
"""

_base_ = [
    '../_base_/models/coop.py',
    '../_base_/datasets/food101.py',
    '../_base_/schedules/coop_200e.py',
    '../_base_/default_runtime.py',
]

clip = dict(name='RN50-quickgelu', pretrained='openai')
model = dict(backbone=dict(clip=clip), head=dict(clip=clip))
