"""All images of the embedded data, as kept features.

python tools/cache_features.py configs/benchmark/emoji_features.py
"""

_base_ = [
    '../_base_/models/coop.py',
    '../_base_/datasets/emoji.py',
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
        path='data/features/emoji/train',
        num_views=8,
        dataset=_base_.train_dataloader.dataset.dataset,
        **features,
    ),
)
val_dataloader = dict(
    num_workers=0,
    persistent_workers=False,
    dataset=dict(
        _delete_=True,
        path='data/features/emoji/test',
        dataset=_base_.val_dataloader.dataset,
        **features,
    ),
)
test_dataloader = val_dataloader
