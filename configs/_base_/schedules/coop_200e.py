# the paper's: SGD, a first epoch at 1e-5, then half a cosine to 0
max_epochs = 200

optim_wrapper = dict(
    optimizer=dict(type='SGD', lr=0.002, momentum=0.9, weight_decay=5e-4)
)

param_scheduler = [
    # 0.005 * 0.002 = 1e-5; end=2, since end=1 would never leave it
    dict(type='ConstantLR', factor=0.005, begin=0, end=2, by_epoch=True),
    # T_max counts from epoch 0, although the cosine begins at epoch 1
    dict(
        type='CosineAnnealingLR',
        T_max=max_epochs,
        begin=1,
        end=max_epochs,
        by_epoch=True,
    ),
]

train_cfg = dict(by_epoch=True, max_epochs=max_epochs, val_interval=max_epochs)
val_cfg = dict()
test_cfg = dict()

# what --auto-scale-lr scales from
auto_scale_lr = dict(base_batch_size=32)
