"""From a config to a learned prompt, with the commands that users run."""

import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from mmengine.runner.checkpoint import CheckpointLoader
from mmpretrain.apis import ImageClassificationInferencer
from PIL import Image
from tool_process import run_tool

import mmcoop  # noqa: F401  (lets mmengine read its own checkpoints)

ROOT = Path(__file__).resolve().parents[2]
CONFIGS = ROOT / 'configs'
EMOJI = CONFIGS / 'coop' / 'tinyclip_1shot_emoji.py'


def run(tool: str, *args, cwd, ok: bool = True) -> str:
    """Run a tool of ours; what it printed."""
    done = run_tool(tool, *args, cwd=cwd)
    assert (done.returncode == 0) == ok, done.stdout[-3000:]
    return done.stdout


def load(checkpoint: Path) -> dict:
    return CheckpointLoader.load_checkpoint(str(checkpoint), 'cpu')


def accuracy(output: str) -> float:
    return float(re.findall(r'accuracy/top1: ([\d.]+)', output)[-1])


@pytest.fixture(scope='module')
def trained(tmp_path_factory) -> Path:
    """A work directory after 3 of 3 epochs, in a folder with the data."""
    folder = tmp_path_factory.mktemp('emoji')
    few_epochs(folder, 3)
    run('train.py', folder / 'config.py', '--work-dir', 'work', cwd=folder)
    return folder


def few_epochs(folder: Path, epochs: int) -> None:
    (folder / 'config.py').write_text(
        f'_base_ = {str(EMOJI)!r}\n'
        f'train_cfg = dict(max_epochs={epochs}, val_interval={epochs})\n'
        'default_hooks = dict(logger=dict(interval=1))\n'
        # A tenth of the test images, from all over.
        'val_dataloader = dict(dataset=dict(indices=list(range(0, 1507, 10))))'
        '\ntest_dataloader = val_dataloader\n'
    )


def test_train_writes_tens_of_kilobytes(trained):
    checkpoint = trained / 'work' / 'epoch_3.pth'
    assert checkpoint.stat().st_size < 100_000
    state = load(checkpoint)['state_dict']
    assert list(state) == ['head.prompt_learner.ctx']
    assert state['head.prompt_learner.ctx'].shape == (16, 128)


def test_test_repeats_the_accuracy_of_training(trained):
    log = next((trained / 'work').glob('*/*.log')).read_text()
    output = run(
        'test.py', 'config.py', 'work/epoch_3.pth', '--work-dir', 'test',
        cwd=trained,
    )  # fmt: skip
    assert accuracy(output) == accuracy(log)


def test_resume_ends_where_the_uninterrupted_run_does(trained, tmp_path):
    few_epochs(tmp_path, 3)
    (tmp_path / 'data').symlink_to(trained / 'data')
    options = ['--work-dir', 'work', '--no-validate', '--resume']
    # Nothing there yet: it starts.
    run(
        'train.py', 'config.py', *options, '--cfg-options',
        'train_cfg.max_epochs=2', cwd=tmp_path,
    )  # fmt: skip
    output = run('train.py', 'config.py', *options, cwd=tmp_path)
    assert 'resumed epoch: 2' in output
    assert 'Epoch(train) [3]' in output
    assert 'Epoch(train) [2]' not in output
    checkpoint = load(tmp_path / 'work/epoch_3.pth')
    assert checkpoint['meta']['epoch'] == 3


def test_label_an_image_from_another_directory(trained, tmp_path, monkeypatch):
    image = next((trained / 'data/emoji/test').glob('*/*.png'))
    monkeypatch.chdir(tmp_path)
    inferencer = ImageClassificationInferencer(
        str(EMOJI), pretrained=str(trained / 'work/epoch_3.pth')
    )
    (result,) = inferencer(str(image))
    names = Path(ROOT, 'mmcoop/assets/class_names/emoji.txt').read_text()
    assert result['pred_class'] == names.splitlines()[result['pred_label']]
    assert not list(tmp_path.iterdir())


def test_zero_shot(trained):
    output = run(
        'test.py', CONFIGS / 'zero_shot/tinyclip_emoji.py', '--work-dir',
        'zero', cwd=trained,
    )  # fmt: skip
    # Measured with a plain implementation of CLIP too: 24.4.
    assert accuracy(output) == pytest.approx(24.42, abs=0.01)


def test_switch_an_mmpretrain_config_to_coop(trained, tmp_path):
    """Change `model`, add `custom_imports`: names come from the folders."""
    for split in ('train', 'test'):
        for label, name in enumerate(('cat', 'dog', 'hot dog')):
            folder = tmp_path / split / name
            folder.mkdir(parents=True)
            pixels = np.full((64, 64, 3), 80 * label, np.uint8)
            for number in range(4):
                Image.fromarray(pixels).save(folder / f'{number}.png')
    (tmp_path / 'config.py').write_text(f"""
custom_imports = dict(imports=['mmcoop'], allow_failed_imports=False)
default_scope = 'mmpretrain'
clip = dict(name='embedded:tiny_clip')
model = dict(
    type='ImageClassifier',
    data_preprocessor=dict(
        mean=[122.7709383, 116.7460125, 104.09373615],
        std=[68.5005327, 66.6321375, 70.32316305],
        to_rgb=True),
    backbone=dict(type='mmcoop.CLIPVision', clip=clip),
    head=dict(type='mmcoop.CoOpHead', clip=clip))
pipeline = [dict(type='LoadImageFromFile'), dict(type='PackInputs')]
def loader(split):
    return dict(batch_size=6, num_workers=0,
        sampler=dict(type='DefaultSampler', shuffle=split == 'train'),
        dataset=dict(type='CustomDataset', data_root={str(tmp_path)!r},
                     data_prefix=split, pipeline=pipeline))
train_dataloader = loader('train')
val_dataloader = test_dataloader = loader('test')
val_evaluator = test_evaluator = dict(type='Accuracy')
del loader
train_cfg = dict(by_epoch=True, max_epochs=2)
val_cfg = test_cfg = dict()
optim_wrapper = dict(optimizer=dict(type='SGD', lr=0.002))
""")
    output = run('train.py', 'config.py', '--work-dir', 'w', cwd=tmp_path)
    assert 'class_names: 3 from the data set, cat, dog, hot dog' in output
    # The checkpoint brings the names: no data is read here.
    run('test.py', 'config.py', 'w/epoch_2.pth', cwd=tmp_path)


def test_wrong_mean_stops_the_run(trained):
    output = run(
        'train.py', 'config.py', '--work-dir', 'wrong', '--cfg-options',
        'model.data_preprocessor.mean=[123.675,116.28,103.53]',
        cwd=trained, ok=False,
    )  # fmt: skip
    assert 'data_preprocessor has mean=[123.675' in output


def test_checkpoint_of_another_length(trained):
    options = ['--cfg-options', 'model.head.prompt_learner.num_context=4']
    output = run(
        'test.py', 'config.py', 'work/epoch_3.pth', *options,
        cwd=trained, ok=False,
    )  # fmt: skip
    assert "the checkpoint's context is unified, M = 16" in output


def test_truncated_image_is_named(trained, tmp_path):
    few_epochs(tmp_path, 1)
    shutil.copytree(trained / 'data', tmp_path / 'data')
    for image in (tmp_path / 'data/emoji/train').glob('*/*.png'):
        # As long as before, so that only reading it can tell.
        content = image.read_bytes()
        image.write_bytes(content[:200] + bytes(len(content) - 200))
    output = run(
        'train.py', 'config.py', '--work-dir', 'w', cwd=tmp_path, ok=False
    )  # fmt: skip
    assert re.search(r'data/emoji/train/\S+\.png', output)


def test_imagenet_without_weights(tmp_path):
    (tmp_path / 'data/imagenet/train').mkdir(parents=True)
    output = run(
        'train.py', CONFIGS / 'coop/vitb16_16shot_imagenet.py',
        cwd=tmp_path, ok=False,
    )  # fmt: skip
    assert 'must be downloaded, but' in output
    assert 'Run once with a network' in output


def test_imagenet_without_data(tmp_path):
    output = run(
        'train.py', CONFIGS / 'coop/vitb16_16shot_imagenet.py',
        '--cfg-options', 'model.backbone.clip.pretrained=None',
        'model.head.clip.pretrained=None', cwd=tmp_path, ok=False,
    )  # fmt: skip
    assert str(tmp_path / 'data/imagenet') in output
    assert 'image-net.org' in output


@pytest.mark.long
def test_imagenet_with_random_weights(tmp_path):
    """All of the ImageNet run but the weights and the photographs."""
    root = tmp_path / 'data/imagenet'
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 255, (40, 50, 3), np.uint8)
    for label in range(1000):
        folder = root / 'train' / f'n{label:08d}'
        folder.mkdir(parents=True)
        Image.fromarray(pixels).save(folder / 'a.JPEG')
    (root / 'val').mkdir()
    (root / 'meta').mkdir()
    for index in range(6):
        Image.fromarray(pixels).save(root / f'val/{index}.JPEG')
    (root / 'meta/val.txt').write_text(
        ''.join(f'{index}.JPEG {7 * index}\n' for index in range(6))
    )
    config = CONFIGS / 'coop/vitb16_16shot_imagenet.py'
    (tmp_path / 'config.py').write_text(f"""
_base_ = {str(config)!r}
clip = dict(pretrained=None)
model = dict(backbone=dict(clip=clip), head=dict(clip=clip))
train_dataloader = dict(batch_size=4, num_workers=0)
val_dataloader = dict(num_workers=0)
test_dataloader = dict(num_workers=0)
train_cfg = dict(_delete_=True, by_epoch=False, max_iters=2, val_interval=2)
default_hooks = dict(
    checkpoint=dict(by_epoch=False, interval=2), logger=dict(interval=1))
""")
    output = run('train.py', 'config.py', '--work-dir', 'w', cwd=tmp_path)
    assert 'fewer' in output  # 1 image per class, 16 wanted: a warning
    trained = accuracy(output)
    checkpoint = tmp_path / 'w/iter_2.pth'
    assert checkpoint.stat().st_size < 200_000
    output = run('test.py', 'config.py', checkpoint, cwd=tmp_path)
    assert accuracy(output) == trained
