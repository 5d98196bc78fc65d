"""CoOp, RN50, 16 shots, M = 16, DTD.

    python tools/train.py configs/coop/rn50_16shot_dtd.py

Wants the images in `data/dtd`: `python tools/prepare_dataset.py dtd`.
Accuracy: paper 62.53, 64.07 and 64.13 with seeds 1, 2 and 3; not measured
here.
"""

_base_ = [
    '../_base_/models/coop.py',
    '../_base_/datasets/dtd.py',
    '../_base_/schedules/coop_200e.py',
    '../_base_/default_runtime.py',
]

clip = dict(name='RN50-quickgelu', pretrained='openai')
model = dict(backbone=dict(clip=clip), head=dict(clip=clip))
