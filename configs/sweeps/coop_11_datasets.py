"""The paper's main experiment: 11 data sets, 4 backbones, 1 to 16 shots.

CoOp (M = 16, `end`, unified), hand-written prompts and the linear probe;
1,364 runs. Parts of it with --only:

    SWEEP=configs/sweeps/coop_11_datasets.py
    python tools/sweep.py $SWEEP
    python tools/sweep.py $SWEEP --only backbone=RN50 dataset=DTD

Wants all data sets in `data` (tools/prepare_dataset.py).
"""

from mmcoop.datasets import COOP_DATASETS

SHOTS = (1, 2, 4, 8, 16)
SEEDS = (1, 2, 3)
# the paper's, by the number of shots; ImageNet has 50 always
EPOCHS = {1: 50, 2: 100, 4: 100, 8: 200, 16: 200}
# open_clip's names, and the width of the joint space
BACKBONES = {
    'RN50': ('RN50-quickgelu', 1024),
    'RN101': ('RN101-quickgelu', 512),
    'ViT-B-32': ('ViT-B-32-quickgelu', 512),
    'ViT-B-16': ('ViT-B-16-quickgelu', 512),
}

FILES = {'ImageNet': 'imagenet'} | {
    facts.title: name for name, facts in COOP_DATASETS.items()
}


def clip(part, name):
    """Say which CLIP a part of the model is of."""
    return {f'model.{part}.clip.name': name}


datasets = {
    title: {'_base_.dataset': f'../_base_/datasets/{name}.py'}
    for title, name in FILES.items()
}
shots = {n: {'train_dataloader.dataset.num_shots': n} for n in SHOTS}
seeds = {
    n: {'train_dataloader.dataset.seed': n, 'randomness.seed': n}
    for n in SEEDS
}
towers = {
    label: clip('backbone', name) | clip('head', name)
    for label, (name, _) in BACKBONES.items()
}
runtime = {'_base_.runtime': '../_base_/default_runtime.py'}

coop = dict(
    labels={'method': 'CoOp M=16'},
    common={'_base_.model': '../_base_/models/coop.py', **runtime},
    axes={
        'dataset': datasets,
        'backbone': towers,
        'shots': {
            n: {
                '_base_.schedule': f'../_base_/schedules/coop_{EPOCHS[n]}e.py',
                **shots[n],
            }
            for n in SHOTS
        },
        'seed': seeds,
    },
    exceptions=[
        dict(
            where={'dataset': ['ImageNet']},
            settings={
                '_base_.schedule': '../_base_/schedules/coop_50e.py',
                # CLIP's names, not mmpretrain's
                'model.head.class_names': 'imagenet',
            },
        )
    ],
)

zero_shot = dict(
    labels={'method': 'zero-shot'},
    common={
        '_base_.model': '../_base_/models/zero_shot.py',
        'train_dataloader': None,
        'val_dataloader': None,
        'val_evaluator': None,
        'test_cfg': {},
        **runtime,
    },
    axes={
        'dataset': {
            'ImageNet': datasets['ImageNet'],
            **{
                facts.title: {
                    **datasets[facts.title],
                    'model.head.class_names': {
                        '_delete_': True,
                        'type': 'mmcoop.CoOpSplit',
                        'name': name,
                    },
                    'model.head.template': facts.template,
                }
                for name, facts in COOP_DATASETS.items()
            },
        },
        'backbone': towers,
    },
)

linear_probe = dict(
    labels={'method': 'linear probe'},
    common={
        '_base_.model': '../_base_/models/linear_probe.py',
        # chooses the regularisation; for ImageNet the test images, as in
        # the original, which has no others
        'probe_validation': {
            'type': 'mmcoop.ImageNet',
            'data_root': 'data/imagenet',
            'split': 'val',
        },
        **runtime,
    },
    axes={
        'dataset': {
            'ImageNet': datasets['ImageNet'],
            **{
                facts.title: {
                    **datasets[facts.title],
                    'model.head.num_classes': facts.num_classes,
                    'probe_validation': {
                        'type': 'mmcoop.CoOpSplit',
                        'name': name,
                        'split': 'val',
                    },
                }
                for name, facts in COOP_DATASETS.items()
            },
        },
        'backbone': {
            label: {
                **clip('backbone', name),
                'model.head.in_channels': width,
            }
            for label, (name, width) in BACKBONES.items()
        },
        'shots': shots,
        'seed': {n: {'train_dataloader.dataset.seed': n} for n in SEEDS},
    },
    job='linear_probe',
)

grids = [coop, zero_shot, linear_probe]
