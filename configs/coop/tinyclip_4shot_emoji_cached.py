"""CoOp, 4 shots, M = 16, embedded data and CLIP, from kept features.

The paper's 100 epochs. First the features, then any number of runs:

    python tools/cache_features.py configs/coop/tinyclip_4shot_emoji_cached.py
    python tools/train.py configs/coop/tinyclip_4shot_emoji_cached.py

What V views mean against fresh augmentation: docs/features_kept.md.
"""

_base_ = [
    '../_base_/models/coop.py',
    '../_base_/datasets/emoji.py',
    '../_base_/schedules/coop_100e.py',
    '../_base_/default_runtime.py',
]

# ships with mmcoop: 64 x 64 pixels, trained from scratch on drawings
clip = dict(name='embedded:tiny_clip', pretrained=None)
model = dict(
    data_preprocessor=None,
    backbone=dict(_delete_=True, type='mmcoop.GivenFeatures'),
    head=dict(clip=clip, class_names='emoji'),
)

# what turns images into features; with the images, it decides whether kept
# features are the right ones
features = dict(
    type='mmcoop.CachedFeatures',
    image_model=dict(
        data_preprocessor=_base_.model.data_preprocessor,
        backbone=dict(type='mmcoop.CLIPVision', clip=clip),
    ),
)

# features are read faster than workers could hand them over
train_dataloader = dict(
    num_workers=0,
    persistent_workers=False,
    dataset=dict(
        _delete_=True,
        path='data/features/tinyclip_4shot_emoji/train',
        num_views=8,
        dataset=dict(_base_.train_dataloader.dataset, num_shots=4),
        **features,
    ),
)
val_dataloader = dict(
    num_workers=0,
    persistent_workers=False,
    dataset=dict(
        _delete_=True,
        path='data/features/tinyclip_emoji/val',
        dataset=_base_.val_dataloader.dataset,
        **features,
    ),
)
test_dataloader = val_dataloader
