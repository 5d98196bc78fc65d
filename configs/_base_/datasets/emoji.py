data_root = 'data/emoji'

train_pipeline = [
    dict(type='mmcoop.LoadImageFromFile'),
    dict(
        type='RandomResizedCrop',
        scale=64,
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
        scale=64,
        edge='short',
        backend='pillow',
        interpolation='bicubic',
    ),
    dict(type='CenterCrop', crop_size=64),
    dict(type='PackInputs'),
]

train_dataloader = dict(
    batch_size=32,
    num_workers=1,
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
            type='mmcoop.Emoji',
            data_root=data_root,
            split='train',
            pipeline=train_pipeline,
        ),
    ),
)

val_dataloader = dict(
    batch_size=100,
    num_workers=1,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='mmcoop.Emoji',
        data_root=data_root,
        split='test',
        pipeline=test_pipeline,
    ),
)
val_evaluator = dict(type='Accuracy', topk=(1,))

test_dataloader = val_dataloader
test_evaluator = val_evaluator
