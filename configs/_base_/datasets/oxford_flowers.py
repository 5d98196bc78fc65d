# Flowers102: 102 classes
_base_ = './coop_split.py'

train_dataloader = dict(dataset=dict(dataset=dict(name='oxford_flowers')))
val_dataloader = dict(dataset=dict(name='oxford_flowers'))
test_dataloader = dict(dataset=dict(name='oxford_flowers'))
