# SUN397: 397 classes
_base_ = './coop_split.py'

train_dataloader = dict(dataset=dict(dataset=dict(name='sun397')))
val_dataloader = dict(dataset=dict(name='sun397'))
test_dataloader = dict(dataset=dict(name='sun397'))
