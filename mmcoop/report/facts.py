"""What was run, on what, for how long, and how to run it again."""

import platform
import shlex
from pathlib import Path
from typing import Any

import mmengine
import mmpretrain
import open_clip
import torch
from mmengine.dist import get_world_size
from mmengine.runner import Runner
from torch import nn

from mmcoop.version import __version__


def run_facts(
    runner: Runner, head: nn.Module, seconds: float
) -> dict[str, str]:
    """Say what was run.

    Args:
        runner (Runner): After training.
        head (nn.Module): Of the model, not wrapped.
        seconds (float): How long it took.

    Returns:
        dict[str, str]: By title; without what does not apply.
    """
    cfg = runner.cfg
    head_cfg = (cfg.get('model') or {}).get('head') or {}
    images = runner.train_dataloader.dataset
    shots = _find(cfg.get('train_dataloader'), 'num_shots')
    ranks = get_world_size()
    facts = {
        'Config': cfg.filename and Path(cfg.filename).name,
        'CLIP': _clip(head_cfg.get('clip')),
        'Context': _context(head),
        'Class token': getattr(
            getattr(head, 'prompt_learner', None),
            'class_token_position',
            None,
        ),
        'Classes': len(getattr(head, 'class_names', None) or ()) or None,
        'Training images': f'{len(images):,}'
        + (f', {shots} per class' if shots else ''),
        'Epochs': runner.max_epochs if _by_epoch(runner) else None,
        'Iterations': f'{runner.iter:,}',
        'Batch': _batch(cfg.get('train_dataloader'), ranks),
        'Optimiser': _optimiser(cfg.get('optim_wrapper')),
        'Seed': runner.seed,
        'Time': duration(seconds),
        'Device': _device(runner) + (f', {ranks} processes' * (ranks > 1)),
        'Versions': ', '.join(
            f'{name} {number}' for name, number in _versions().items()
        ),
    }
    return {title: str(fact) for title, fact in facts.items() if fact}


def command(runner: Runner) -> str:
    """Give the command that repeats the run.

    Args:
        runner (Runner): Of the run.

    Returns:
        str: It uses the config that mmengine has put into the work
        directory, in which all options of the command line are.
    """
    name = runner.cfg.filename
    name = Path(name).name if name else f'{runner.timestamp}.py'
    folder = Path(runner.work_dir)
    if folder.is_relative_to(Path.cwd()):
        folder = folder.relative_to(Path.cwd())
    config = str(folder / name)
    ranks = get_world_size()
    words = (
        ['tools/dist_train.sh', config, str(ranks)]
        if ranks > 1
        else ['python', 'tools/train.py', config]
    )
    words += ['--work-dir', f'{folder}_again']
    if (runner.cfg.get('randomness') or {}).get('seed') is None:
        words += ['--cfg-options', f'randomness.seed={runner.seed}']
    return shlex.join(words)


def duration(seconds: float) -> str:
    """Write a time as one reads it.

    Args:
        seconds (float): How long.

    Returns:
        str: Like '2 h 5 min', '1 min 12 s' or '8.1 s'.
    """
    if seconds < 60:
        return f'{seconds:.1f} s'
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f'{minutes} min {rest} s'
    return f'{minutes // 60} h {minutes % 60} min'


def _by_epoch(runner: Runner) -> bool:
    return runner.train_loop.epoch > 0


def _clip(clip: dict | None) -> str | None:
    if not clip:
        return None
    pretrained = clip.get('pretrained')
    return clip['name'] + (f', {pretrained}' if pretrained else '')


def _context(head: nn.Module) -> str | None:
    learner = getattr(head, 'prompt_learner', None)
    if learner is None:
        return None
    kind = 'of each class' if learner.class_specific else 'for all classes'
    return f'{learner.num_context} vectors {kind}'


def _batch(loader: dict | None, ranks: int) -> str | None:
    size = (loader or {}).get('batch_size')
    if not size:
        return None
    return f'{size} images' + f' in each of {ranks} processes' * (ranks > 1)


def _optimiser(wrapper: dict | None) -> str | None:
    optimiser = (wrapper or {}).get('optimizer') or {}
    if 'type' not in optimiser:
        return None
    return f'{optimiser["type"]}, learning rate {optimiser.get("lr")}'


def _device(runner: Runner) -> str:
    device = next(runner.model.parameters()).device
    if device.type == 'cuda':
        return torch.cuda.get_device_name(device)
    threads = torch.get_num_threads()
    return f'{device.type.upper()}, {threads} thread{"s" * (threads > 1)}'


def _versions() -> dict[str, str]:
    return dict(
        mmcoop=__version__,
        mmpretrain=mmpretrain.__version__,
        mmengine=mmengine.__version__,
        open_clip=open_clip.__version__,
        torch=torch.__version__,
        Python=platform.python_version(),
    )


def _find(node: Any, key: str) -> Any:
    """Find the first value of a key, however deep."""
    if isinstance(node, dict):
        if key in node:
            return node[key]
        node = list(node.values())
    if isinstance(node, list | tuple):
        for item in node:
            found = _find(item, key)
            if found is not None:
                return found
    return None
