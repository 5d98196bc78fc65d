# StanfordCars: 196 classes
_base_ = './coop_split.py'

train_dataloader = dict(dataset=dict(dataset=dict(name='stanford_cars')))
val_dataloader = dict(dataset=dict(name='stanford_cars'))
test_dataloader = dict(dataset=dict(name='stanford_cars'))
