# EuroSAT: 10 classes
_base_ = './coop_split.py'

train_dataloader = dict(dataset=dict(dataset=dict(name='eurosat')))
val_dataloader = dict(dataset=dict(name='eurosat'))
test_dataloader = dict(dataset=dict(name='eurosat'))
