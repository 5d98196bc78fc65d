"""Hand-written prompts, RN50, UCF101.

    python tools/test.py configs/zero_shot/rn50_ucf101.py

Wants the images in `data/ucf101`: `python tools/prepare_dataset.py ucf101`.
Accuracy: not measured here.
"""

_base_ = [
    '../_base_/models/zero_shot.py',
    '../_base_/datasets/ucf101.py',
    '../_base_/default_runtime.py',
]

clip = dict(name='RN50-quickgelu', pretrained='openai')
model = dict(
    backbone=dict(clip=clip),
    head=dict(
        clip=clip,
        class_names=dict(
            _delete_=True, type='mmcoop.CoOpSplit', name='ucf101'
        ),
        template='a photo of a person doing {}.',
    ),
)

# one evaluation: there is nothing to train
train_dataloader = None
val_dataloader = None
val_evaluator = None
test_cfg = dict()
