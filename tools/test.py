"""Evaluate what a config describes.

    python tools/test.py CONFIG [CHECKPOINT] [--out FILE.pkl] …

A model that learns nothing, as with hand-written prompts, needs no
checkpoint. The options are those of mmpretrain's tool of this name.
"""

import argparse
import os
import sys
from pathlib import Path

import mmengine
from mmengine.config import Config, DictAction
from mmengine.dist import is_main_process
from mmengine.evaluator import DumpResults
from mmengine.registry import RUNNERS
from mmengine.runner import Runner

# Find mmcoop beside this folder, for a clone that is not installed
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from mmcoop.engine import launch, run_config

METRIC_FILES = ('.json', '.pkl', '.pickle', '.yaml', '.yml')
PREDICTION_FILES = ('.pkl', '.pickle')


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description='Evaluate a model.')
    parser.add_argument('config', help='path of the config')
    parser.add_argument(
        'checkpoint',
        nargs='?',
        help='what was learned; not needed if the model learns nothing',
    )
    parser.add_argument('--work-dir', help='folder for the log')
    parser.add_argument('--out', metavar='FILE', help='file for the results')
    parser.add_argument(
        '--out-item',
        choices=['metrics', 'pred'],
        help='what goes to --out; without it, the predictions',
    )
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=DictAction,
        metavar='KEY=VALUE',
        help='change the config: a.b=1, a.b="[1,2]" or a.b=1,2',
    )
    parser.add_argument(
        '--amp', action='store_true', help='compute in mixed precision'
    )
    parser.add_argument(
        '--show-dir', metavar='FOLDER', help='save drawn predictions there'
    )
    parser.add_argument(
        '--show', action='store_true', help='show predictions in a window'
    )
    parser.add_argument(
        '--interval', type=int, default=1, help='draw every n-th image'
    )
    parser.add_argument(
        '--wait-time',
        type=float,
        default=2,
        help='seconds that each window stays',
    )
    parser.add_argument(
        '--no-pin-memory',
        action='store_true',
        help='do not pin the memory of fetched batches',
    )
    parser.add_argument(
        '--tta',
        action='store_true',
        help='average over views of each image: those of tta_pipeline in '
        'the config, else the image and its mirror image',
    )
    parser.add_argument(
        '--launcher',
        choices=['none', 'pytorch', 'slurm', 'mpi'],
        default='none',
        help='what started the processes',
    )
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0)
    args = parser.parse_args()
    check_out(parser, args)
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    return args


def check_out(
    parser: argparse.ArgumentParser, args: argparse.Namespace
) -> None:
    """Refuse an output file now rather than after the evaluation."""
    if args.out is None:
        if args.out_item is not None:
            parser.error(f'--out-item {args.out_item} needs --out FILE')
        return
    wanted = METRIC_FILES if args.out_item == 'metrics' else PREDICTION_FILES
    if Path(args.out).suffix not in wanted:
        parser.error(
            f'--out {args.out}: {args.out_item or "pred"} can be written to '
            f'a file that ends in {", ".join(wanted)}'
        )


def build_config(args: argparse.Namespace) -> Config:
    """Read the config and apply the command line to it."""
    cfg = run_config.read_config(args.config, args.work_dir)
    if args.checkpoint is not None:
        cfg.load_from = args.checkpoint
    if args.amp:
        cfg.test_cfg.fp16 = True
    if args.show or args.show_dir is not None:
        run_config.draw_predictions(
            cfg,
            show=args.show,
            out_dir=args.show_dir,
            interval=args.interval,
            wait_time=args.wait_time,
        )
    if args.tta:
        run_config.use_test_time_augmentation(cfg)
    run_config.set_loader_defaults(cfg, pin_memory=not args.no_pin_memory)
    cfg.merge_from_dict(args.cfg_options or {})
    run_config.check_data_roots(cfg, ('test_dataloader',))
    launch.prepare_launch(cfg, args.launcher, learns=False)
    return cfg


def check_checkpoint(runner: Runner, config: str) -> None:
    """Refuse to evaluate a model that has not learned yet.

    Raises:
        CommandError: If the model has something to learn and no checkpoint.
    """
    learned = [
        name
        for name, parameter in runner.model.named_parameters()
        if parameter.requires_grad
    ]
    if learned and runner.cfg.get('load_from') is None:
        raise run_config.CommandError(
            f'no checkpoint is given, but {config} describes a model that '
            f'learns {learned[0]}'
            + (f' and {len(learned) - 1} more' if learned[1:] else '')
            + ': its start values would be evaluated. Run tools/test.py '
            'CONFIG CHECKPOINT.'
        )


def main() -> None:
    """Evaluate."""
    args = parse_args()
    try:
        cfg = build_config(args)
        runner = (
            RUNNERS.build(cfg)
            if 'runner_type' in cfg
            else Runner.from_cfg(cfg)
        )
        check_checkpoint(runner, args.config)
    except run_config.CommandError as error:
        sys.exit(f'test.py: error: {error}')
    if args.out and args.out_item != 'metrics':
        runner.test_evaluator.metrics.append(DumpResults(args.out))
    metrics = runner.test()
    if args.out and args.out_item == 'metrics' and is_main_process():
        mmengine.dump(metrics, args.out)
    launch.leave_group()


if __name__ == '__main__':
    main()
