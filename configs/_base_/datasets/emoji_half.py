# the first half of the classes is known; labels of the other half have no
# name in the model, which is what makes an image unknown
_base_ = './emoji.py'

train_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='mmcoop.BaseNew',
        part='base',
        dataset=_base_.train_dataloader.dataset,
    )
)

# the test images in two halves, drawn at random
half = dict(
    type='KFoldDataset',
    num_splits=2,
    seed=1,
    test_mode=True,
    dataset=_base_.test_dataloader.dataset,
)
# held out for tools/calibrate.py, the known ones alone
val_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='mmcoop.BaseNew',
        part='base',
        dataset=dict(half, fold=0),
    )
)
# known and unknown ones
test_dataloader = dict(dataset=dict(half, _delete_=True, fold=1))
test_evaluator = [
    dict(type='mmcoop.OutOfDistribution', score='mcm'),
    # the temperature at which the energy is that of this CLIP's logits
    dict(
        type='mmcoop.OutOfDistribution', score='energy', temperature=1 / 24.14
    ),
    # of the known ones alone, with the accuracy
    dict(type='mmcoop.CalibrationError'),
]
