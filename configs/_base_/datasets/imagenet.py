# ImageNet: 1000 classes; its validation images are the test set
_base_ = './coop_split.py'

data_root = 'data/imagenet'

train_dataloader = dict(
    dataset=dict(
        dataset=dict(
            _delete_=True,
            type='mmcoop.ImageNet',
            data_root=data_root,
            split='train',
            pipeline=_base_.train_pipeline,
        )
    )
)
val_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='mmcoop.ImageNet',
        data_root=data_root,
        split='val',
        pipeline=_base_.test_pipeline,
    )
)
val_evaluator = dict(topk=(1, 5))

test_dataloader = val_dataloader
test_evaluator = val_evaluator
