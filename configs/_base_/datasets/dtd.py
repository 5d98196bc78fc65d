# DTD: 47 classes
_base_ = './coop_split.py'

train_dataloader = dict(dataset=dict(dataset=dict(name='dtd')))
val_dataloader = dict(dataset=dict(name='dtd'))
test_dataloader = dict(dataset=dict(name='dtd'))
