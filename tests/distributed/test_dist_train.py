"""tools/dist_train.sh with classes shared out over two processes."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from mmengine.runner import CheckpointLoader

import mmcoop

ROOT = Path(__file__).resolve().parents[2]
CONFIG = ROOT / 'configs/coop/tinyclip_1shot_emoji.py'
SCRIPT = ['bash', str(ROOT / 'tools/dist_train.sh'), str(CONFIG), '2']
OPTIONS = [
    '--no-validate',
    '--cfg-options',
    'train_cfg.max_epochs=3',
    'param_scheduler.0.factor=1',  # the first epochs learn something too
    'train_dataloader.num_workers=0',
    'train_dataloader.persistent_workers=False',
]


def learn(cwd: Path, work_dir: str, *options: str) -> torch.Tensor:
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        port = str(free.getsockname()[1])
    path = f'{Path(sys.executable).parent}:{os.environ["PATH"]}'
    done = subprocess.run(
        [*SCRIPT, '--work-dir', work_dir, *OPTIONS, *options],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
        env=dict(os.environ, PORT=port, PATH=path, PYTHONWARNINGS='ignore'),
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    state = CheckpointLoader.load_checkpoint(
        str(cwd / work_dir / 'epoch_3.pth'), 'cpu'
    )['state_dict']
    return state['head.prompt_learner.ctx']


@pytest.mark.slow
@pytest.mark.distributed
def test_shared_classes_learn_what_all_classes_learn(tmp_path):
    assert mmcoop.__version__  # registers how checkpoints are read
    alone = learn(tmp_path, 'alone')
    shared = learn(tmp_path, 'shared', 'model.head.text_parallel=True')
    torch.testing.assert_close(shared, alone, rtol=1e-5, atol=1e-5)
