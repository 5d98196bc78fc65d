"""CoOp, ViT-B/16, 16 shots, M = 16, ImageNet, from kept features.

First the features (0.4 GB), then any number of runs:

    python tools/cache_features.py \
        configs/coop/vitb16_16shot_imagenet_cached.py
    python tools/train.py configs/coop/vitb16_16shot_imagenet_cached.py

What V views mean against fresh augmentation: docs/features_kept.md.
Wants ImageNet in `data/imagenet` and downloads the weights once, as
`vitb16_16shot_imagenet.py` does. Accuracy: not measured here.
"""

_base_ = [
    '../_base_/models/coop.py',
    '../_base_/datasets/imagenet.py',
    '../_base_/schedules/coop_50e.py',
    '../_base_/default_runtime.py',
]

# CLIP's names, not mmpretrain's, in the order of the sorted folders
model = dict(
    data_preprocessor=None,
    backbone=dict(_delete_=True, type='mmcoop.GivenFeatures'),
    head=dict(class_names='imagenet'),
)

# what turns images into features; with the images, it decides whether kept
# features are the right ones
features = dict(
    type='mmcoop.CachedFeatures',
    image_model=dict(
        data_preprocessor=_base_.model.data_preprocessor,
        backbone=dict(type='mmcoop.CLIPVision', clip=_base_.clip),
    ),
)

# features are read faster than workers could hand them over
train_dataloader = dict(
    num_workers=0,
    persistent_workers=False,
    dataset=dict(
        _delete_=True,
        path='data/features/vitb16_16shot_imagenet/train',
        num_views=8,
        dataset=_base_.train_dataloader.dataset,
        **features,
    ),
)
val_dataloader = dict(
    num_workers=0,
    persistent_workers=False,
    dataset=dict(
        _delete_=True,
        path='data/features/vitb16_imagenet/val',
        dataset=_base_.val_dataloader.dataset,
        **features,
    ),
)
test_dataloader = val_dataloader
