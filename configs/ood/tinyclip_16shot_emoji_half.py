"""CoOp on half of the embedded data's classes; the others are unknown.

Learned from 20 of 40 classes, 16 shots each, in 50 epochs. Half of the test
images of these are held out for `tools/calibrate.py`.

    python tools/train.py configs/ood/tinyclip_16shot_emoji_half.py
    python tools/test.py configs/ood/tinyclip_16shot_emoji_half.py CHECKPOINT

Results: README.md, "None of these".
"""

_base_ = [
    '../_base_/models/coop.py',
    '../_base_/datasets/emoji_half.py',
    '../_base_/schedules/coop_50e.py',
    '../_base_/default_runtime.py',
]

# ships with mmcoop: 64 x 64 pixels, trained from scratch on drawings
clip = dict(name='embedded:tiny_clip', pretrained=None)
model = dict(backbone=dict(clip=clip), head=dict(clip=clip))
