# FGVCAircraft: 100 classes
_base_ = './coop_split.py'

train_dataloader = dict(dataset=dict(dataset=dict(name='fgvc_aircraft')))
val_dataloader = dict(dataset=dict(name='fgvc_aircraft'))
test_dataloader = dict(dataset=dict(name='fgvc_aircraft'))
