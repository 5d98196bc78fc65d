from pathlib import Path

import pytest

from mmcoop.datasets import COOP_DATASETS
from mmcoop.protocol.grid import read_sweep
from mmcoop.protocol.sweep import select

CONFIGS = Path(__file__).parents[3] / 'configs'


@pytest.fixture
def sweep(tmp_path):
    (tmp_path / 'base.py').write_text('lr = 0.1\nmodel = dict(width=4)\n')
    (tmp_path / 'long.py').write_text('epochs = 200\n')
    (tmp_path / 'short.py').write_text('epochs = 50\n')

    def write(grids):
        path = tmp_path / 'sweep.py'
        path.write_text(f'grids = {grids!r}\n')
        return str(path)

    return write


GRID = dict(
    labels={'method': 'ours'},
    common={'_base_.config': 'base.py', '_base_.time': 'long.py'},
    axes={
        'width': {8: {'model.width': 8}, 16: {'model.width': 16}},
        'seed': {1: {'seed': 1}, 2: {'seed': 2}},
    },
    exceptions=[
        dict(
            where={'width': [16]},
            settings={'_base_.time': 'short.py', 'lr': 0.2},
        )
    ],
)


def test_runs_are_the_product_of_the_axes(sweep):
    runs = read_sweep(sweep([GRID]))
    assert [run.name for run in runs] == [
        f'method=ours/width={width}/seed={seed}'
        for width in (8, 16)
        for seed in (1, 2)
    ]
    first, last = runs[0].config(), runs[-1].config()
    assert (first.model.width, first.seed, first.lr) == (8, 1, 0.1)
    assert first.epochs == 200
    # The exception holds for 16 alone.
    assert (last.model.width, last.seed, last.lr) == (16, 2, 0.2)
    assert last.epochs == 50


def test_a_part_can_be_selected(sweep):
    runs = read_sweep(sweep([GRID]))
    assert len(select(runs, ['seed=1'])) == 2
    assert len(select(runs, ['seed=1', 'seed=2', 'width=8'])) == 2
    assert select(runs, []) == runs
    with pytest.raises(ValueError, match=r'seed=3: no run has that.*1.*2'):
        select(runs, ['seed=3'])


@pytest.mark.parametrize(
    ('grids', 'message'),
    [
        ([], r'has grids = \[\]'),
        ([dict(axis={})], 'has axis: the keys are labels, common'),
        ([GRID, GRID], 'has 4 names for several runs, like method=ours/width'),
        ([dict(axes={'a': {'x/y': {}}})], "has the label 'x/y'"),
        (
            [
                GRID
                | dict(exceptions=[dict(where={'widht': [8]}, settings={})])
            ],
            'an exception of .* holds where widht',
        ),
        (
            [
                GRID
                | dict(exceptions=[dict(where={'width': [9]}, settings={})])
            ],
            'an exception of .* holds where width is .9.',
        ),
        ([GRID | dict(exceptions=[dict(when={})])], "has the keys .'when'"),
    ],
)
def test_mistakes_are_refused(sweep, grids, message):
    with pytest.raises(ValueError, match=message):
        read_sweep(sweep(grids))


def test_missing_file_is_reported(tmp_path):
    with pytest.raises(FileNotFoundError, match='There is no sweep'):
        read_sweep(str(tmp_path / 'sweep.py'))


def test_every_sweep_that_ships_is_found():
    assert {path.stem for path in (CONFIGS / 'sweeps').glob('*.py')} == {
        'coop_11_datasets',
        'emoji',
    }


def test_benchmark_has_what_it_says():
    runs = read_sweep(str(CONFIGS / 'sweeps' / 'emoji.py'))
    methods = [run.labels['method'] for run in runs]
    assert {name: methods.count(name) for name in methods} == {
        'CoOp M=16': 15,
        'CoOp M=4': 15,
        'CoOp M=4 CSC': 15,
        'zero-shot': 1,
        'linear probe': 15,
    }
    epochs = {1: 50, 2: 100, 4: 100, 8: 200, 16: 200}
    for run in runs[::7]:
        cfg = run.config()
        if run.labels['method'].startswith('CoOp'):
            shots = int(run.labels['shots'])
            assert cfg.train_cfg.max_epochs == epochs[shots]
            assert cfg.train_dataloader.dataset.num_shots == shots
        assert set(run.tests) == {'fxemoji', 'high_contrast', 'streamline'}


def test_the_papers_sweep_has_all_runs_with_their_recipe(coop_data):
    runs = read_sweep(str(CONFIGS / 'sweeps' / 'coop_11_datasets.py'))
    count = {}
    for run in runs:
        method = run.labels['method']
        count[method] = count.get(method, 0) + 1
    # 11 data sets, 4 backbones, 5 numbers of shots, 3 seeds
    assert count['CoOp M=16'] == 11 * 4 * 5 * 3
    assert count['linear probe'] == 11 * 4 * 5 * 3
    assert count['zero-shot'] == 11 * 4
    epochs = {'1': 50, '2': 100, '4': 100, '8': 200, '16': 200}
    for run in runs[::17]:
        labels, cfg = run.labels, run.config()
        name = next(
            (
                k
                for k, v in COOP_DATASETS.items()
                if v.title == labels['dataset']
            ),
            'imagenet',
        )
        data = cfg.test_dataloader.dataset
        assert data.get('name', 'imagenet') == name
        assert cfg.model.backbone.clip.name.startswith(
            labels['backbone'].replace('/', '-')
        )
        if labels['method'] == 'zero-shot':
            assert cfg.train_dataloader is None
            continue
        assert cfg.train_dataloader.dataset.num_shots == int(labels['shots'])
        assert cfg.train_dataloader.dataset.seed == int(labels['seed'])
        if labels['method'] == 'CoOp M=16':
            wanted = 50 if name == 'imagenet' else epochs[labels['shots']]
            assert cfg.train_cfg.max_epochs == wanted
            assert cfg.param_scheduler[1].T_max == wanted
            assert cfg.randomness.seed == int(labels['seed'])
