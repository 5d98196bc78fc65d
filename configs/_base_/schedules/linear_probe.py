# for training in the toolkit; the paper's protocol is logistic regression by
# scikit-learn, which is what tools/linear_probe.py runs
max_epochs = 50

optim_wrapper = dict(optimizer=dict(type='AdamW', lr=0.001, weight_decay=0.01))

param_scheduler = [
    dict(type='CosineAnnealingLR', T_max=max_epochs, by_epoch=True)
]

train_cfg = dict(by_epoch=True, max_epochs=max_epochs, val_interval=max_epochs)
val_cfg = dict()
test_cfg = dict()

# what --auto-scale-lr scales from
auto_scale_lr = dict(base_batch_size=32)
