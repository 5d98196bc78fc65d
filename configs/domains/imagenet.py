"""ImageNet's four variants, for a context that was learned on ImageNet.

    CONFIG=configs/coop/vitb16_16shot_m4_imagenet.py
    python tools/domain_generalisation.py $CONFIG CHECKPOINT

-A and -R have images of 200 classes, which are told apart among themselves.
Wants the data in `data`: `python tools/prepare_dataset.py imagenetv2`, …
"""

domains = {
    'ImageNetV2': dict(
        dataset=dict(type='mmcoop.ImageNetVariant', name='imagenetv2'),
        class_names='imagenet',
    ),
    'ImageNet-Sketch': dict(
        dataset=dict(type='mmcoop.ImageNetVariant', name='imagenet_sketch'),
        class_names='imagenet',
    ),
    'ImageNet-A': dict(
        dataset=dict(type='mmcoop.ImageNetVariant', name='imagenet_a'),
        class_names='imagenet_a',
    ),
    'ImageNet-R': dict(
        dataset=dict(type='mmcoop.ImageNetVariant', name='imagenet_r'),
        class_names='imagenet_r',
    ),
}
