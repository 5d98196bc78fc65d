"""Hand-written prompts, RN50, DTD.

    python tools/test.py configs/zero_shot/rn50_dtd.py

Wants the images in `data/dtd`: `python tools/prepare_dataset.py dtd`.
Accuracy: not measured here.
"""

_base_ = [
    '../_base_/models/zero_shot.py',
    '../_base_/datasets/dtd.py',
    '../_base_/default_runtime.py',
]

clip = dict(name='RN50-quickgelu', pretrained='openai')
model = dict(
    backbone=dict(clip=clip),
    head=dict(
        clip=clip,
        class_names=dict(_delete_=True, type='mmcoop.CoOpSplit', name='dtd'),
        template='{} texture.',
    ),
)

# one evaluation: there is nothing to train
train_dataloader = None
val_dataloader = None
val_evaluator = None
test_cfg = dict()
