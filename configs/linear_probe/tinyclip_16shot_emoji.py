"""Linear probe, 16 shots, the data and the CLIP that ship with mmcoop.

    CONFIG=configs/linear_probe/tinyclip_16shot_emoji.py
    python tools/linear_probe.py $CONFIG  # the paper's protocol, scikit-learn
    python tools/train.py $CONFIG         # in the toolkit

Accuracy: see configs/coop/README.md.
"""

_base_ = [
    '../_base_/models/linear_probe.py',
    '../_base_/datasets/emoji.py',
    '../_base_/schedules/linear_probe.py',
    '../_base_/default_runtime.py',
]

# ships with mmcoop: 64 x 64 pixels, trained from scratch on drawings
clip = dict(name='embedded:tiny_clip', pretrained=None)
model = dict(
    backbone=dict(clip=clip), head=dict(in_channels=128, num_classes=40)
)

# None: up to 4 of each class choose the regularisation, of the training
# images that were not drawn
probe_validation = None
