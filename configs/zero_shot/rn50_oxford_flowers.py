"""Hand-written prompts, RN50, Flowers102.

    python tools/test.py configs/zero_shot/rn50_oxford_flowers.py

Wants the images in `data/oxford_flowers`: `python tools/prepare_dataset.py
oxford_flowers`.
Accuracy: not measured here.
"""

_base_ = [
    '../_base_/models/zero_shot.py',
    '../_base_/datasets/oxford_flowers.py',
    '../_base_/default_runtime.py',
]

clip = dict(name='RN50-quickgelu', pretrained='openai')
model = dict(
    backbone=dict(clip=clip),
    head=dict(
        clip=clip,
        class_names=dict(
            _delete_=True, type='mmcoop.CoOpSplit', name='oxford_flowers'
        ),
        template='a photo of a {}, a type of flower.',
    ),
)

# one evaluation: there is nothing to train
train_dataloader = None
val_dataloader = None
val_evaluator = None
test_cfg = dict()
