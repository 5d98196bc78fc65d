"""Hand-written prompts, RN50, EuroSAT.

    python tools/test.py configs/zero_shot/rn50_eurosat.py

Wants the images in `data/eurosat`: `python tools/prepare_dataset.py eurosat`.
Accuracy: not measured here.
"""

_base_ = [
    '../_base_/models/zero_shot.py',
    '../_base_/datasets/eurosat.py',
    '../_base_/default_runtime.py',
]

clip = dict(name='RN50-quickgelu', pretrained='openai')
model = dict(
    backbone=dict(clip=clip),
    head=dict(
        clip=clip,
        class_names=dict(
            _delete_=True, type='mmcoop.CoOpSplit', name='eurosat'
        ),
        template='a centered satellite photo of {}.',
    ),
)

# one evaluation: there is nothing to train
train_dataloader = None
val_dataloader = None
val_evaluator = None
test_cfg = dict()
