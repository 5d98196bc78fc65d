"""Linear probe, RN50, 16 shots, UCF101.

    CONFIG=configs/linear_probe/rn50_16shot_ucf101.py
    python tools/linear_probe.py $CONFIG  # the paper's protocol, scikit-learn
    python tools/train.py $CONFIG         # in the toolkit

Wants the images in `data/ucf101`: `python tools/prepare_dataset.py ucf101`.
Accuracy: not measured here.
"""

_base_ = [
    '../_base_/models/linear_probe.py',
    '../_base_/datasets/ucf101.py',
    '../_base_/schedules/linear_probe.py',
    '../_base_/default_runtime.py',
]

clip = dict(name='RN50-quickgelu', pretrained='openai')
model = dict(
    backbone=dict(clip=clip), head=dict(in_channels=1024, num_classes=101)
)

# up to 4 of each class choose the regularisation
probe_validation = dict(type='mmcoop.CoOpSplit', name='ucf101', split='val')
