# Caltech101: 100 classes
_base_ = './coop_split.py'

train_dataloader = dict(dataset=dict(dataset=dict(name='caltech101')))
val_dataloader = dict(dataset=dict(name='caltech101'))
test_dataloader = dict(dataset=dict(name='caltech101'))
