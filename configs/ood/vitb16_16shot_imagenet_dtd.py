"""ImageNet against textures (DTD), with CoOp, ViT-B/16, 16 shots, M = 16.

    CONFIG=configs/ood/vitb16_16shot_imagenet_dtd.py
    python tools/test.py $CONFIG CHECKPOINT

The checkpoint is that of `configs/coop/vitb16_16shot_imagenet.py`. Wants both
data sets in `data`. The field evaluates on all of DTD, here it is the test
split of the paper's 11 data sets. AUROC: not measured here.
"""

_base_ = [
    '../_base_/models/coop.py',
    '../_base_/datasets/imagenet.py',
    '../_base_/schedules/coop_50e.py',
    '../_base_/default_runtime.py',
]

# CLIP's names, not mmpretrain's, in the order of the sorted folders
model = dict(head=dict(class_names='imagenet'))

textures = dict(
    type='mmcoop.CoOpSplit',
    name='dtd',
    split='test',
    pipeline=_base_.test_pipeline,
)
test_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='ConcatDataset',
        datasets=[
            _base_.val_dataloader.dataset,
            dict(type='mmcoop.Unknown', dataset=textures),
        ],
        # textures have names of their own
        ignore_keys=['classes'],
    )
)
test_evaluator = [
    dict(type='mmcoop.OutOfDistribution', score='mcm'),
    # the temperature at which the energy is that of this CLIP's logits
    dict(type='mmcoop.OutOfDistribution', score='energy', temperature=0.01),
    # of the known ones alone, with the accuracy
    dict(type='mmcoop.CalibrationError'),
]
