"""Train what a config describes.

    python tools/train.py CONFIG [--resume] [--work-dir FOLDER] …

The options are those of mmpretrain's tool of this name.
"""

import argparse
import os
import sys
from pathlib import Path

from mmengine.config import Config, DictAction
from mmengine.registry import RUNNERS
from mmengine.runner import Runner

# Find mmcoop beside this folder, for a clone that is not installed
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from mmcoop.engine import (
    disk_errors,
    last_checkpoint,
    launch,
    run_config,
    run_end,
    stop_signals,
)


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description='Train a model.')
    parser.add_argument('config', help='path of the config')
    parser.add_argument('--work-dir', help='folder for logs and checkpoints')
    parser.add_argument(
        '--resume',
        nargs='?',
        const='auto',
        metavar='CHECKPOINT',
        help='go on from a checkpoint; without a value, from the last one '
        'in the work directory, or from the start if there is none',
    )
    parser.add_argument(
        '--amp', action='store_true', help='train in mixed precision'
    )
    parser.add_argument(
        '--no-validate',
        action='store_true',
        help='do not evaluate during training',
    )
    parser.add_argument(
        '--auto-scale-lr',
        action='store_true',
        help='scale the learning rate with the batch size of all processes, '
        'relative to base_batch_size in auto_scale_lr of the config',
    )
    parser.add_argument(
        '--no-pin-memory',
        action='store_true',
        help='do not pin the memory of fetched batches',
    )
    parser.add_argument(
        '--no-persistent-workers',
        action='store_true',
        help='start the loader workers anew in each epoch',
    )
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=DictAction,
        metavar='KEY=VALUE',
        help='change the config: a.b=1, a.b="[1,2]" or a.b=1,2',
    )
    parser.add_argument(
        '--launcher',
        choices=['none', 'pytorch', 'slurm', 'mpi'],
        default='none',
        help='what started the processes',
    )
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0)
    args = parser.parse_args()
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    return args


def build_config(args: argparse.Namespace) -> Config:
    """Read the config and apply the command line to it."""
    cfg = run_config.read_config(args.config, args.work_dir)
    if args.no_validate:
        cfg.val_cfg = cfg.val_dataloader = cfg.val_evaluator = None
    if args.resume is not None:
        cfg.resume = True
        cfg.load_from = None if args.resume == 'auto' else args.resume
        if cfg.load_from is not None:
            last_checkpoint.check_named(cfg.load_from)
    if args.auto_scale_lr:
        run_config.scale_learning_rate(cfg)
    if args.amp:
        run_config.use_mixed_precision(cfg)
    run_config.set_loader_defaults(
        cfg,
        pin_memory=not args.no_pin_memory,
        persistent_workers=not args.no_persistent_workers,
    )
    cfg.merge_from_dict(args.cfg_options or {})
    run_config.check_data_roots(cfg, ('train_dataloader', 'val_dataloader'))
    launch.prepare_launch(cfg, args.launcher, learns=True)
    return cfg


def main() -> None:
    """Train."""
    args = parse_args()
    with run_end.explained('train.py'):
        cfg = build_config(args)
        disk_errors.check_work_dir(cfg.work_dir)
        with disk_errors.explained(cfg.work_dir):
            runner = (
                RUNNERS.build(cfg)
                if 'runner_type' in cfg
                else Runner.from_cfg(cfg)
            )
            with stop_signals.obeyed(runner):
                runner.train()
    launch.leave_group()


if __name__ == '__main__':
    main()
