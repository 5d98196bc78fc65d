# Food101: 101 classes
_base_ = './coop_split.py'

train_dataloader = dict(dataset=dict(dataset=dict(name='food101')))
val_dataloader = dict(dataset=dict(name='food101'))
test_dataloader = dict(dataset=dict(name='food101'))
