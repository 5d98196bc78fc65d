"""Linear probe, RN50, 16 shots, StanfordCars.

    CONFIG=configs/linear_probe/rn50_16shot_stanford_cars.py
    python tools/linear_probe.py $CONFIG  # the paper's protocol, scikit-learn
    python tools/train.py $CONFIG         # in the toolkit

Wants the images in `data/stanford_cars`: `python tools/prepare_dataset.py
stanford_cars`.
Accuracy: not measured here.
"""

_base_ = [
    '../_base_/models/linear_probe.py',
    '../_base_/datasets/stanford_cars.py',
    '../_base_/schedules/linear_probe.py',
    '../_base_/default_runtime.py',
]

clip = dict(name='RN50-quickgelu', pretrained='openai')
model = dict(
    backbone=dict(clip=clip), head=dict(in_channels=1024, num_classes=196)
)

# up to 4 of each class choose the regularisation
probe_validation = dict(
    type='mmcoop.CoOpSplit', name='stanford_cars', split='val'
)
