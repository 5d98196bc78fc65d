# a user's own images: a folder per class, a CSV or a split file
_base_ = './coop_split.py'

# python tools/train.py … with DATA=… before it
source = '{{$DATA:data/own}}'

own = dict(_delete_=True, type='mmcoop.OwnImages', source=source)
train_dataloader = dict(
    num_workers=4,
    dataset=dict(
        dataset=dict(own, split='train', pipeline=_base_.train_pipeline)
    ),
)
val_dataloader = dict(
    num_workers=4,
    dataset=dict(own, split='test', pipeline=_base_.test_pipeline),
)
test_dataloader = val_dataloader
