"""Hand-written prompts, RN50, FGVCAircraft.

    python tools/test.py configs/zero_shot/rn50_fgvc_aircraft.py

Wants the images in `data/fgvc_aircraft`: `python tools/prepare_dataset.py
fgvc_aircraft`.
Accuracy: not measured here.
"""

_base_ = [
    '../_base_/models/zero_shot.py',
    '../_base_/datasets/fgvc_aircraft.py',
    '../_base_/default_runtime.py',
]

clip = dict(name='RN50-quickgelu', pretrained='openai')
model = dict(
    backbone=dict(clip=clip),
    head=dict(
        clip=clip,
        class_names=dict(
            _delete_=True, type='mmcoop.CoOpSplit', name='fgvc_aircraft'
        ),
        template='a photo of a {}, a type of aircraft.',
    ),
)

# one evaluation: there is nothing to train
train_dataloader = None
val_dataloader = None
val_evaluator = None
test_cfg = dict()
