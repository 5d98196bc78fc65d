# OxfordPets: 37 classes
_base_ = './coop_split.py'

train_dataloader = dict(dataset=dict(dataset=dict(name='oxford_pets')))
val_dataloader = dict(dataset=dict(name='oxford_pets'))
test_dataloader = dict(dataset=dict(name='oxford_pets'))
