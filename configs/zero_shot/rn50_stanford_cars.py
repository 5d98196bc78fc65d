"""Hand-written prompts, RN50, StanfordCars.

    python tools/test.py configs/zero_shot/rn50_stanford_cars.py

Wants the images in `data/stanford_cars`: `python tools/prepare_dataset.py
stanford_cars`.
Accuracy: not measured here.
"""

_base_ = [
    '../_base_/models/zero_shot.py',
    '../_base_/datasets/stanford_cars.py',
    '../_base_/default_runtime.py',
]

clip = dict(name='RN50-quickgelu', pretrained='openai')
model = dict(
    backbone=dict(clip=clip),
    head=dict(
        clip=clip,
        class_names=dict(
            _delete_=True, type='mmcoop.CoOpSplit', name='stanford_cars'
        ),
        template='a photo of a {}.',
    ),
)

# one evaluation: there is nothing to train
train_dataloader = None
val_dataloader = None
val_evaluator = None
test_cfg = dict()
