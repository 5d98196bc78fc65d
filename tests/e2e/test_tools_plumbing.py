"""The real tools on a tiny model of mmpretrain's own.

What they do with mmcoop's models is tested elsewhere; here it is the way
there: options, resuming, several processes, errors.
"""

import json
import os
import pickle
import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from tool_process import run_tool

ROOT = Path(__file__).resolve().parents[2]
TOOLS = ROOT / 'tools'
CLASSES = ('blue', 'red')
NUM_TEST = 6

CONFIG = """
default_scope = 'mmpretrain'
classes = ('blue', 'red')
model = dict(
    type='ImageClassifier',
    data_preprocessor=dict(num_classes=2, mean=[0] * 3, std=[255] * 3),
    backbone=dict(
        type='ResNet_CIFAR', depth=18, stem_channels=4, base_channels=4),
    neck=dict(type='GlobalAveragePooling'),
    head=dict(type='LinearClsHead', num_classes=2, in_channels=32))
pipeline = [dict(type='LoadImageFromFile'), dict(type='PackInputs')]


def loader(split, shuffle):
    return dict(
        batch_size=4, num_workers=0,
        sampler=dict(type='DefaultSampler', shuffle=shuffle),
        dataset=dict(
            type='CustomDataset', data_root='DATA', data_prefix=split,
            pipeline=pipeline))


train_dataloader = loader('train', True)
val_dataloader = test_dataloader = loader('test', False)
val_evaluator = test_evaluator = dict(type='Accuracy', topk=(1,))
del loader
train_cfg = dict(by_epoch=True, max_epochs=1)
val_cfg = dict()
test_cfg = dict()
optim_wrapper = dict(optimizer=dict(type='SGD', lr=0.01, momentum=0.9))
visualizer = dict(
    type='UniversalVisualizer', vis_backends=[dict(type='LocalVisBackend')])
log_level = 'INFO'
randomness = dict(seed=0)
"""
# Nothing to learn: like hand-written prompts
FROZEN = """
_base_ = './learned.py'
model = dict(_delete_=True, type='ImageClassifier',
    data_preprocessor=dict(num_classes=2),
    backbone=dict(type='mmpretrain.ResNet_CIFAR', depth=18, frozen_stages=4,
        stem_channels=4, base_channels=4, norm_eval=True,
        norm_cfg=dict(type='BN', requires_grad=False)),
    neck=dict(type='GlobalAveragePooling'),
    head=dict(type='ClsHead'))
"""
# Python imports this when it starts, if it is in the PYTHONPATH.
AT_THE_END = """
import atexit, sys

def tell():
    distributed = sys.modules.get('torch.distributed')
    if distributed and distributed.is_initialized():
        print('ended while in a group')

atexit.register(tell)
"""
MIRRORED = """
_base_ = './learned.py'
pipeline = [
    dict(type='LoadImageFromFile'), dict(type='RandomFlip', prob=1.0),
    dict(type='PackInputs')]
test_dataloader = dict(dataset=dict(pipeline=pipeline))
"""


def run(
    *command: str | Path, cwd: Path, **env: str
) -> subprocess.CompletedProcess:
    """Run a command to its end, its output in one text."""
    return subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env={**os.environ, 'PYTHON': sys.executable, **env},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
    )


def tool(name: str, *options: str | Path, cwd: Path):
    return run_tool(name, *options, cwd=cwd)


@pytest.fixture(scope='module')
def project(tmp_path_factory) -> Path:
    """Make a user's folder: images, configs, and one trained epoch."""
    folder = tmp_path_factory.mktemp('a project')
    random = np.random.default_rng(0)
    for split, count in (('train', 8), ('test', NUM_TEST // 2)):
        for label, name in enumerate(CLASSES):
            images = folder / 'data' / split / name
            images.mkdir(parents=True)
            for index in range(count):
                pixels = random.integers(0, 99, (16, 16, 3), dtype=np.uint8)
                pixels[..., 2 - 2 * label] += 150
                Image.fromarray(pixels).save(images / f'{index}.png')
    (folder / 'learned.py').write_text(CONFIG.replace('DATA', 'data'))
    (folder / 'frozen.py').write_text(FROZEN)
    (folder / 'mirrored.py').write_text(MIRRORED)
    (folder / 'sitecustomize.py').write_text(AT_THE_END)

    # Nothing is there to go on from: --resume starts
    trained = tool('train.py', 'learned.py', '--resume', cwd=folder)
    assert trained.returncode == 0, trained.stdout
    return folder


@pytest.fixture
def port() -> str:
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        return str(free.getsockname()[1])


def test_resume_goes_on_where_the_work_dir_ends(project, tmp_path):
    shutil.copytree(project / 'work_dirs' / 'learned', tmp_path / 'work')
    first = torch.load(
        project / 'work_dirs/learned/epoch_1.pth', weights_only=False
    )
    resumed = tool(
        'train.py', 'learned.py', '--resume', '--no-validate',
        '--work-dir', tmp_path / 'work',
        '--cfg-options', 'train_cfg.max_epochs=2', 'log_level=WARNING',
        cwd=project,
    )  # fmt: skip
    assert resumed.returncode == 0, resumed.stdout
    second = torch.load(tmp_path / 'work/epoch_2.pth', weights_only=False)
    assert second['meta']['iter'] == 2 * first['meta']['iter']
    # The log's history goes on too, and it is not the tensors alone
    assert len(history(second)) == 2 * len(history(first))
    assert history(second)[: len(history(first))] == history(first)


def history(checkpoint: dict) -> list[float]:
    scalars = checkpoint['message_hub']['log_scalars']
    return scalars['train/loss'].data[0].tolist()


def test_a_named_checkpoint_is_resumed(project, tmp_path):
    resumed = tool(
        'train.py', 'learned.py', '--work-dir', tmp_path,
        '--resume', 'work_dirs/learned/epoch_1.pth',
        '--cfg-options', 'train_cfg.max_epochs=2',
        cwd=project,
    )  # fmt: skip
    assert resumed.returncode == 0, resumed.stdout
    assert 'resumed epoch: 1' in resumed.stdout
    assert (tmp_path / 'epoch_2.pth').is_file()


def test_metrics_and_pictures(project, tmp_path):
    tested = tool(
        'test.py', 'learned.py', 'work_dirs/learned/epoch_1.pth',
        '--work-dir', tmp_path, '--out', tmp_path / 'm.json',
        '--out-item', 'metrics', '--show-dir', tmp_path / 'drawn',
        '--interval', '2', cwd=project,
    )  # fmt: skip
    assert tested.returncode == 0, tested.stdout
    metrics = json.loads((tmp_path / 'm.json').read_text())
    assert 0 <= metrics['accuracy/top1'] <= 100
    assert len(list((tmp_path / 'drawn').rglob('*.png'))) == NUM_TEST // 2


def predictions(folder, config, file, *options):
    tested = tool(
        'test.py', config, 'work_dirs/learned/epoch_1.pth',
        '--work-dir', file.parent, '--out', file, *options, cwd=folder,
    )  # fmt: skip
    assert tested.returncode == 0, tested.stdout
    loaded = pickle.loads(file.read_bytes())
    return torch.stack([item['pred_score'] for item in loaded])


def test_tta_averages_image_and_mirror_image(project, tmp_path):
    plain = predictions(project, 'learned.py', tmp_path / 'plain.pkl')
    mirrored = predictions(project, 'mirrored.py', tmp_path / 'mirrored.pkl')
    assert not torch.allclose(plain, mirrored)
    both = predictions(project, 'learned.py', tmp_path / 'both.pkl', '--tta')
    torch.testing.assert_close(both, (plain + mirrored) / 2)


@pytest.mark.distributed
def test_two_processes_without_a_gpu(project, tmp_path, port):
    trained = run(
        TOOLS / 'dist_train.sh', 'learned.py', '2',
        '--work-dir', tmp_path / 'a b', cwd=project,
        CUDA_VISIBLE_DEVICES='-1', PORT=port, PYTHONPATH=str(project),
    )  # fmt: skip
    assert trained.returncode == 0, trained.stdout
    assert 'ended while in a group' not in trained.stdout
    assert '2 processes on the CPU talk over gloo' in trained.stdout
    # 16 images, 4 in a batch, 2 batches at a time
    assert 'Epoch(train) [1][2/2]' in trained.stdout
    checkpoint = torch.load(
        tmp_path / 'a b' / 'epoch_1.pth', weights_only=False
    )
    assert checkpoint['meta']['iter'] == 2


@pytest.mark.distributed
def test_two_processes_evaluate_like_one(project, tmp_path, port):
    """Also with nothing to learn, which torch's DDP refuses."""
    single = tool(
        'test.py', 'frozen.py', '--work-dir', tmp_path, '--out',
        tmp_path / 'one.json', '--out-item', 'metrics', cwd=project,
    )  # fmt: skip
    assert single.returncode == 0, single.stdout
    double = run(
        TOOLS / 'dist_test.sh', 'frozen.py', 'none', '2', '--work-dir',
        tmp_path, '--out', tmp_path / 'two.json', '--out-item', 'metrics',
        cwd=project, CUDA_VISIBLE_DEVICES='-1', PORT=port,
        PYTHONPATH=str(project),
    )  # fmt: skip
    assert double.returncode == 0, double.stdout
    assert 'ended while in a group' not in double.stdout
    one, two = tmp_path / 'one.json', tmp_path / 'two.json'
    assert json.loads(one.read_text()) == json.loads(two.read_text())


@pytest.mark.distributed
def test_failing_processes_give_a_failing_status(project, port):
    failed = run(
        TOOLS / 'dist_test.sh', 'no_such.py', 'none', '2',
        cwd=project, CUDA_VISIBLE_DEVICES='-1', PORT=port,
    )  # fmt: skip
    assert failed.returncode != 0
    assert 'The config no_such.py does not exist' in failed.stdout


@pytest.mark.parametrize(
    ('script', 'arguments', 'called'),
    [
        (
            'slurm_train.sh',
            ['part', 'name', 'a b.py', 'work dir', '--resume'],
            ['train.py', 'a b.py', '--work-dir=work dir',
             '--launcher=slurm', '--resume'],
        ),
        (
            'slurm_test.sh',
            ['part', 'name', 'a b.py', 'ckpt.pth', '--tta'],
            ['test.py', 'a b.py', 'ckpt.pth', '--launcher=slurm', '--tta'],
        ),
        (
            'slurm_test.sh',
            ['part', 'name', 'a b.py', 'none'],
            ['test.py', 'a b.py', '--launcher=slurm'],
        ),
    ],
)  # fmt: skip
def test_slurm_scripts(tmp_path, script, arguments, called):
    """A stand-in for srun writes down how it is called."""
    srun = tmp_path / 'srun'
    srun.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\nexit 3\n')
    srun.chmod(0o755)
    result = run(
        TOOLS / script, *arguments, cwd=tmp_path,
        PATH=f'{tmp_path}:{os.environ["PATH"]}',
        GPUS='2', GPUS_PER_NODE='1', SRUN_ARGS='--time=1 --mem=2',
    )  # fmt: skip
    *options, u, tool_path = result.stdout.splitlines()[: -len(called) + 1]
    assert result.returncode == 3
    assert options == [
        '-p', 'part', '--job-name=name', '--gres=gpu:1', '--ntasks=2',
        '--ntasks-per-node=1', '--cpus-per-task=5', '--kill-on-bad-exit=1',
        '--time=1', '--mem=2', sys.executable,
    ]  # fmt: skip
    assert u == '-u'
    assert Path(tool_path).resolve() == TOOLS / called[0]
    assert result.stdout.splitlines()[-len(called) + 1 :] == called[1:]


@pytest.mark.parametrize('script', sorted(TOOLS.glob('*.sh')))
def test_scripts_without_arguments_say_how_to_use_them(script, tmp_path):
    result = run(script, cwd=tmp_path)
    assert result.returncode == 2
    assert result.stdout.startswith('usage: ')


def test_learned_model_is_not_tested_without_its_checkpoint(project):
    result = tool('test.py', 'learned.py', cwd=project)
    assert result.returncode == 1
    assert 'no checkpoint is given, but learned.py describes a model that ' \
        'learns backbone.' in result.stdout  # fmt: skip
    assert 'Traceback' not in result.stdout


class Payload:
    """Would make a folder, were it unpickled."""

    def __reduce__(self):
        return os.mkdir, ('made by the payload',)


@pytest.mark.parametrize(
    'command',
    [
        ('train.py', 'learned.py', '--resume', 'evil.pth'),
        ('test.py', 'learned.py', 'evil.pth'),
    ],
)
def test_checkpoint_with_code_is_refused(project, command):
    torch.save({'state_dict': {}, 'x': Payload()}, project / 'evil.pth')
    result = tool(*command, cwd=project)
    assert result.returncode != 0
    assert re.search(
        r'evil\.pth is refused: it asks for \S+mkdir', result.stdout
    )
    assert not (project / 'made by the payload').exists()


@pytest.mark.parametrize(
    ('command', 'message'),
    [
        (
            'train.py no_such.py',
            'The config no_such.py does not exist (looked for ',
        ),
        (
            'train.py learned.py --cfg-options '
            'train_dataloader.dataset.data_root=gone',
            "The data of train_dataloader are missing: data_root='gone'",
        ),
        (
            'train.py learned.py --resume gone.pth',
            'go on from --resume gone.pth: gone.pth does not exist. Name',
        ),
        (
            'train.py learned.py --resume learned.py',
            'error: no run can go on from --resume learned.py: The checkpoint',
        ),
        ('test.py learned.py gone.pth', 'The checkpoint gone.pth does not'),
        ('test.py learned.py --out-item pred', 'needs --out FILE'),
        ('test.py learned.py --out a.json', 'ends in .pkl, .pickle'),
    ],
)
def test_errors_that_say_what_to_do(project, command, message):
    result = tool(*command.split(), cwd=project)
    assert result.returncode != 0
    assert message in result.stdout
