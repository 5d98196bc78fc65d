"""The paper's main experiment in small, on what ships with mmcoop.

CoOp with three kinds of context at 1 to 16 shots, hand-written prompts and
the linear probe; each also on drawing styles never seen. From kept features:

    make benchmark
"""

# any drawing style but those of the training images
STYLES = ('fxemoji', 'high_contrast', 'streamline')
SHOTS = (1, 2, 4, 8, 16)
SEEDS = (1, 2, 3)
# the paper's, by the number of shots
EPOCHS = {1: 50, 2: 100, 4: 100, 8: 200, 16: 200}
M = 'model.head.prompt_learner.num_context'
CSC = 'model.head.prompt_learner.class_specific'

of_images = {
    style: {'test_dataloader.dataset.split': f'test_{style}'}
    for style in STYLES
}
of_features = {
    style: {
        'test_dataloader.dataset.path': f'data/features/emoji/{style}',
        'test_dataloader.dataset.dataset.split': f'test_{style}',
    }
    for style in STYLES
}

grids = [
    dict(
        common={
            '_base_.config': '../benchmark/emoji_shots.py',
            # epochs take a tenth of a second: write less often
            'default_hooks.checkpoint.interval': 50,
            'default_hooks.logger.interval': 100,
        },
        axes={
            'method': {
                'CoOp M=16': {M: 16},
                'CoOp M=4': {M: 4},
                'CoOp M=4 CSC': {M: 4, CSC: True},
            },
            'dataset': {'Emoji': {}},
            'shots': {
                shots: {
                    '_base_.schedule': '../_base_/schedules/'
                    f'coop_{EPOCHS[shots]}e.py',
                    'train_dataloader.dataset.num_shots': shots,
                }
                for shots in SHOTS
            },
            'seed': {
                seed: {
                    'train_dataloader.dataset.seed': seed,
                    'randomness.seed': seed,
                }
                for seed in SEEDS
            },
        },
        tests=of_features,
    ),
    dict(
        common={'_base_.config': '../zero_shot/tinyclip_emoji.py'},
        axes={
            'method': {
                'zero-shot': {'model.head.template': 'an emoji of a {}.'}
            },
            'dataset': {'Emoji': {}},
        },
        tests=of_images,
    ),
    dict(
        common={'_base_.config': '../linear_probe/tinyclip_16shot_emoji.py'},
        axes={
            'method': {'linear probe': {}},
            'dataset': {'Emoji': {}},
            'shots': {
                shots: {'train_dataloader.dataset.num_shots': shots}
                for shots in SHOTS
            },
            'seed': {
                seed: {'train_dataloader.dataset.seed': seed} for seed in SEEDS
            },
        },
        tests=of_images,
        job='linear_probe',
    ),
]
