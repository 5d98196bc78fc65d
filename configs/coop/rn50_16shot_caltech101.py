"""CoOp, RN50, 16 shots, M = 16, Caltech101.

    python tools/train.py configs/coop/rn50_16shot_caltech101.py

Wants the images in `data/caltech-101`: `python tools/prepare_dataset.py
caltech101`.
Accuracy: paper 91.81, 92.01 and 92.17 with seeds 1, 2 and 3; not measured
here.
"""

_base_ = [
    '../_base_/models/coop.py',
    '../_base_/datasets/caltech101.py',
    '../_base_/schedules/coop_200e.py',
    '../_base_/default_runtime.py',
]

clip = dict(name='RN50-quickgelu', pretrained='openai')
model = dict(backbone=dict(clip=clip), head=dict(clip=clip))
