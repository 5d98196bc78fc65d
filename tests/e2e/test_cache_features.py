"""From images to kept features to a learned prompt, with the real tools."""

import time
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.evaluator import DumpResults
from mmengine.fileio import load
from mmengine.runner import Runner
from tool_process import run_tool, start_tool

from mmcoop.datasets import UnusableFeaturesError

ROOT = Path(__file__).resolve().parents[2]
CONFIGS = ROOT / 'configs' / 'coop'

pytestmark = pytest.mark.slow

NUM_TEST = 70

# The data of a trial run: 40 images to learn from, and some to test with in
# batches that do not come out even.
IMAGES = """
_base_ = '{base}/tinyclip_1shot_emoji.py'
train_dataloader = dict(num_workers=0, persistent_workers=False,
    dataset=dict(dataset=dict(data_root='{root}/emoji')))
val_dataloader = dict(num_workers=0, persistent_workers=False, batch_size=32,
    dataset=dict(data_root='{root}/emoji', indices={num_test}))
test_dataloader = val_dataloader
work_dir = '{root}/work'
train_cfg = dict(max_epochs=2, val_interval=2)
"""
CACHED = """
_base_ = '{base}/tinyclip_1shot_emoji_cached.py'
train_dataloader = dict(dataset=dict(path='{root}/kept/train', num_views=2,
    dataset=dict(dataset=dict(data_root='{root}/emoji'))))
val_dataloader = dict(batch_size=32, dataset=dict(path='{root}/kept/val',
    dataset=dict(data_root='{root}/emoji', indices={num_test})))
test_dataloader = val_dataloader
work_dir = '{root}/work'
train_cfg = dict(max_epochs=2, val_interval=2)
"""


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """A folder with a config for images and one for kept features."""
    root = tmp_path_factory.mktemp('cache_features')
    for name, text in (('images.py', IMAGES), ('cached.py', CACHED)):
        text = text.format(base=CONFIGS, root=root, num_test=NUM_TEST)
        (root / name).write_text(text)
    return root


@pytest.fixture(scope='module')
def kept(folder):
    """Features, computed by the tool, which was killed on the way."""
    arguments = ('cache_features.py', 'cached.py', '--workers', '0')
    process = start_tool(*arguments, cwd=folder)
    journal = folder / 'kept' / 'val.journal'
    # The header and a block of three
    while not journal.is_file() or journal.read_text().count('\n') < 2:
        assert process.is_alive(), 'it ended before it could be killed'
        time.sleep(0.002)
    process.kill()
    process.join()
    assert not (folder / 'kept' / 'val.json').exists()

    again = run_tool(*arguments, cwd=folder)
    assert 'train: up to date' in again.stdout
    assert 'val: written' in again.stdout
    return folder / 'kept'


def runner(folder, name, **options):
    cfg = Config.fromfile(folder / f'{name}.py')
    cfg.experiment_name = f'{name}-{time.time_ns()}'
    cfg.merge_from_dict(options)
    return Runner.from_cfg(cfg)


def predictions(folder, name, checkpoint):
    """Evaluate, and give (N, K) scores."""
    out = folder / f'{name}.pkl'
    run = runner(folder, name, load_from=str(checkpoint))
    run.test_evaluator.metrics.append(DumpResults(str(out)))
    run.test()
    return np.stack([sample['pred_score'].numpy() for sample in load(out)])


def test_training_says_what_to_run_first(folder):
    if (folder / 'kept').exists():
        pytest.skip('another test has computed the features')
    with pytest.raises(
        UnusableFeaturesError, match=r'python tools/cache_features\.py CONFIG'
    ):
        runner(folder, 'cached').train()


def test_features_train_and_test_as_images_do(folder, kept):
    run = runner(folder, 'cached')
    assert not list(run.model.backbone.buffers())
    before = run.model.head.prompt_learner.ctx.detach().clone()
    run.train()
    assert (run.model.head.prompt_learner.ctx != before).any()

    checkpoint = folder / 'work' / 'epoch_2.pth'
    from_features = predictions(folder, 'cached', checkpoint)
    from_images = predictions(folder, 'images', checkpoint)
    assert from_features.shape == (NUM_TEST, 40)
    # To the last bit: the batches are the same.
    np.testing.assert_array_equal(from_features, from_images)


def test_a_resumed_run_sees_the_views_of_an_uninterrupted_one(folder, kept):
    learned = {}
    for name, ends in (('whole', [3]), ('resumed', [1, 3])):
        for end in ends:
            options = {'train_cfg.max_epochs': end, 'resume': end != ends[0]}
            run = runner(
                folder, 'cached', work_dir=str(folder / name), **options
            )
            run.train()
        learned[name] = run.model.head.prompt_learner.ctx.detach()
    assert torch.equal(learned['resumed'], learned['whole'])


def test_a_config_for_images_gives_the_same_features(folder, kept):
    done = run_tool(
        *('cache_features.py', 'images.py', '--views', 2),
        *('--out', 'out', '--workers', 1),
        cwd=folder,
    )
    assert done.returncode == 0, done.stdout
    for name in ('train.npy', 'val.npy', 'train.json', 'val.json'):
        made = (folder / 'out' / name).read_bytes()
        assert made == (kept / name).read_bytes()


def test_two_loaders_cannot_share_a_file(folder):
    run = run_tool(
        *('cache_features.py', 'cached.py', '--cfg-options'),
        'val_dataloader.dataset.dataset.indices=50',
        cwd=folder,
    )
    assert run.returncode == 1
    assert 'want different features in the same file' in run.stdout
