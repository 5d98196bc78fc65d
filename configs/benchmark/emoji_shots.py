"""Shots of the embedded data, from the kept features of all its images.

One file of features serves any number of shots and any seed, since shots are
drawn from the kept images. The base of the runs of configs/sweeps/emoji.py,
which add a schedule.
"""

_base_ = ['./emoji_features.py']

train_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='mmcoop.FewShot',
        num_shots=16,
        seed=1,
        dataset=_base_.train_dataloader.dataset,
    )
)
