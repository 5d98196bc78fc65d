# what the data sets with split files have in common; each names itself in a
# file beside this one
train_pipeline = [
    dict(type='mmcoop.LoadImageFromFile'),
    dict(
        type='RandomResizedCrop',
        scale=224,
        crop_ratio_range=(0.08, 1.0),
        backend='pillow',
        interpolation='bicubic',
    ),
    dict(type='RandomFlip', prob=0.5, direction='horizontal'),
    dict(type='PackInputs'),
]

test_pipeline = [
    dict(type='mmcoop.LoadImageFromFile'),
    dict(
        type='ResizeEdge',
        scale=224,
        edge='short',
        backend='pillow',
        interpolation='bicubic',
    ),
    dict(type='CenterCrop', crop_size=224),
    dict(type='PackInputs'),
]

train_dataloader = dict(
    batch_size=32,
    num_workers=8,
    persistent_workers=True,
    # drops a smaller last batch, which would weigh more
    batch_sampler=dict(type='mmcoop.FullBatchSampler'),
    # augmentation depends on (seed, epoch, sample) alone
    sampler=dict(type='mmcoop.EpochSampler', shuffle=True),
    dataset=dict(
        type='mmcoop.FewShot',
        num_shots=16,
        # of the draw alone; the paper's are 1, 2 and 3
        seed=1,
        dataset=dict(
            type='mmcoop.CoOpSplit',
            # the folder of all data sets
            data_root='data',
            split='train',
            pipeline=train_pipeline,
        ),
    ),
)

# evaluated once, at the end: the last context counts, not the best
val_dataloader = dict(
    batch_size=100,
    num_workers=8,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='mmcoop.CoOpSplit',
        data_root='data',
        split='test',
        pipeline=test_pipeline,
    ),
)
val_evaluator = dict(type='Accuracy', topk=(1,))

test_dataloader = val_dataloader
test_evaluator = val_evaluator
