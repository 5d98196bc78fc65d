"""Hand-written prompts on the data and the CLIP that ship with mmcoop.

python tools/test.py configs/zero_shot/tinyclip_emoji.py
"""

_base_ = [
    '../_base_/models/zero_shot.py',
    '../_base_/datasets/emoji.py',
    '../_base_/default_runtime.py',
]

# ships with mmcoop: 64 x 64 pixels, trained from scratch on drawings
clip = dict(name='embedded:tiny_clip', pretrained=None)
model = dict(
    backbone=dict(clip=clip), head=dict(clip=clip, class_names='emoji')
)

# one evaluation: there is nothing to train
train_dataloader = None
val_dataloader = None
val_evaluator = None
test_cfg = dict()
