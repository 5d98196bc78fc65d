"""Linear probe, RN50, 16 shots, ImageNet.

    CONFIG=configs/linear_probe/rn50_16shot_imagenet.py
    python tools/linear_probe.py $CONFIG  # the paper's protocol, scikit-learn
    python tools/train.py $CONFIG         # in the toolkit

Wants ImageNet in `data/imagenet` (`train/` and `val/`, a folder per class)
and downloads the weights once. Accuracy: paper 55.87; not measured here.
"""

_base_ = [
    '../_base_/models/linear_probe.py',
    '../_base_/datasets/imagenet.py',
    '../_base_/schedules/linear_probe.py',
    '../_base_/default_runtime.py',
]

clip = dict(name='RN50-quickgelu', pretrained='openai')
model = dict(
    backbone=dict(clip=clip), head=dict(in_channels=1024, num_classes=1000)
)

# up to 4 of each class choose the regularisation: of the test images, as in
# the original, which has no others
probe_validation = dict(
    type='mmcoop.ImageNet', data_root='data/imagenet', split='val'
)
