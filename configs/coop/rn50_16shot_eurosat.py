"""CoOp, RN50, 16 shots, M = 16, EuroSAT.

    python tools/train.py configs/coop/rn50_16shot_eurosat.py

Wants the images in `data/eurosat`: `python tools/prepare_dataset.py eurosat`.
Accuracy: not measured here.
"""

_base_ = [
    '../_base_/models/coop.py',
    '../_base_/datasets/eurosat.py',
    '../_base_/schedules/coop_200e.py',
    '../_base_/default_runtime.py',
]

clip = dict(name='RN50-quickgelu', pretrained='openai')
model = dict(backbone=dict(clip=clip), head=dict(clip=clip))
