"""CoOp, RN50, 16 shots, M = 16, StanfordCars.

    python tools/train.py configs/coop/rn50_16shot_stanford_cars.py

Wants the images in `data/stanford_cars`: `python tools/prepare_dataset.py
stanford_cars`.
Accuracy: not measured here.
"""

_base_ = [
    '../_base_/models/coop.py',
    '../_base_/datasets/stanford_cars.py',
    '../_base_/schedules/coop_200e.py',
    '../_base_/default_runtime.py',
]

clip = dict(name='RN50-quickgelu', pretrained='openai')
model = dict(backbone=dict(clip=clip), head=dict(clip=clip))
