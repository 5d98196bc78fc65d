"""CoOp, RN50, 16 shots, M = 16, OxfordPets.

    python tools/train.py configs/coop/rn50_16shot_oxford_pets.py

Wants the images in `data/oxford_pets`: `python tools/prepare_dataset.py
oxford_pets`.
Accuracy: not measured here.
"""

_base_ = [
    '../_base_/models/coop.py',
    '../_base_/datasets/oxford_pets.py',
    '../_base_/schedules/coop_200e.py',
    '../_base_/default_runtime.py',
]

clip = dict(name='RN50-quickgelu', pretrained='openai')
model = dict(backbone=dict(clip=clip), head=dict(clip=clip))
