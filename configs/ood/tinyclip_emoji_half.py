"""Hand-written prompts for half of the embedded classes; others are unknown.

    python tools/test.py configs/ood/tinyclip_emoji_half.py

Results: README.md, "None of these".
"""

_base_ = [
    '../_base_/models/zero_shot.py',
    '../_base_/datasets/emoji_half.py',
    '../_base_/default_runtime.py',
]

# ships with mmcoop: 64 x 64 pixels, trained from scratch on drawings
clip = dict(name='embedded:tiny_clip', pretrained=None)
model = dict(
    backbone=dict(clip=clip),
    head=dict(
        _delete_=True,
        type='mmcoop.ZeroShotHead',
        clip=clip,
        class_names=_base_.val_dataloader.dataset,
    ),
)

# one evaluation: there is nothing to train
train_dataloader = None
val_dataloader = None
val_evaluator = None
test_cfg = dict()
