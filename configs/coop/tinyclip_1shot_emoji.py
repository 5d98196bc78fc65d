"""CoOp, 1 shot, M = 16, on the data and the CLIP that ship with mmcoop.

Made to end in minutes on 2 CPU cores: 50 epochs at any number of shots, where
the paper has 100 for 4 shots and 200 for 16 (`coop_100e.py`, `coop_200e.py`).

    python tools/train.py configs/coop/tinyclip_1shot_emoji.py
"""

_base_ = [
    '../_base_/models/coop.py',
    '../_base_/datasets/emoji.py',
    '../_base_/schedules/coop_50e.py',
    '../_base_/default_runtime.py',
]

# ships with mmcoop: 64 x 64 pixels, trained from scratch on drawings
clip = dict(name='embedded:tiny_clip', pretrained=None)
model = dict(
    backbone=dict(clip=clip), head=dict(clip=clip, class_names='emoji')
)

train_dataloader = dict(dataset=dict(num_shots=1))
