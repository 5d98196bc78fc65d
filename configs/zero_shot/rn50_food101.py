"""Hand-written prompts, RN50, Food101.

    python tools/test.py configs/zero_shot/rn50_food101.py

Wants the images in `data/food-101`: `python tools/prepare_dataset.py food101`.
Accuracy: not measured here.
"""

_base_ = [
    '../_base_/models/zero_shot.py',
    '../_base_/datasets/food101.py',
    '../_base_/default_runtime.py',
]

clip = dict(name='RN50-quickgelu', pretrained='openai')
model = dict(
    backbone=dict(clip=clip),
    head=dict(
        clip=clip,
        class_names=dict(
            _delete_=True, type='mmcoop.CoOpSplit', name='food101'
        ),
        template='a photo of {}, a type of food.',
    ),
)

# one evaluation: there is nothing to train
train_dataloader = None
val_dataloader = None
val_evaluator = None
test_cfg = dict()
