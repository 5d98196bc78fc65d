"""Do all runs of a sweep; call it again to go on after an interruption.

    python tools/sweep.py configs/sweeps/emoji.py [--work-dir FOLDER] …
    python tools/sweep.py configs/sweeps/coop_11_datasets.py --cluster slurm \\
        --slurm partition=gpu gpus_per_node=1 cpus_per_task=8 time=600

Finished runs are skipped and failed ones tried again. A sweep's results
become tables and figures with tools/report.py.
"""

import argparse
import os
import sys
from pathlib import Path

import torch
from mmengine.config import DictAction

# Find mmcoop beside this folder, for a clone that is not installed
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from mmcoop.protocol import sweep
from mmcoop.protocol.grid import read_sweep


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description='Do the runs of a sweep.')
    parser.add_argument('sweep', help='path of the sweep file')
    parser.add_argument(
        '--work-dir', help='folder for all runs; else work_dirs/NAME'
    )
    parser.add_argument(
        '--only',
        nargs='+',
        default=[],
        metavar='AXIS=LABEL',
        help='do a part of the runs, like --only dataset=dtd seed=1',
    )
    parser.add_argument(
        '--workers',
        type=int,
        help='runs at a time; else one per GPU, or one without GPUs, or 64 '
        'jobs of Slurm',
    )
    parser.add_argument(
        '--runs-per-job',
        type=int,
        default=1,
        help='runs that a process does in turn; more saves starting time',
    )
    parser.add_argument(
        '--cluster', choices=['local', 'slurm'], default='local'
    )
    parser.add_argument(
        '--slurm',
        nargs='+',
        action=DictAction,
        default={},
        metavar='KEY=VALUE',
        help="sbatch's options, like partition=gpu mem=32GB time=600 (in "
        'minutes, which is also what it is if it is left out)',
    )
    parser.add_argument(
        '--restart-changed',
        action='store_true',
        help='delete and repeat runs that were begun with another config',
    )
    parser.add_argument(
        '--dry-run', action='store_true', help='list the runs and stop'
    )
    return parser.parse_args()


def choose_resources(args: argparse.Namespace) -> sweep.Resources:
    """Decide how many runs go on at a time, and where."""
    gpus = tuple(range(torch.cuda.device_count()))
    default = 64 if args.cluster == 'slurm' else max(1, len(gpus))
    workers = args.workers or default
    threads = None
    if args.cluster == 'local' and not gpus:
        threads = max(1, (os.cpu_count() or 1) // workers)
    return sweep.Resources(
        cluster=args.cluster,
        workers=workers,
        runs_per_job=args.runs_per_job,
        gpus=gpus,
        threads=threads,
        slurm=args.slurm,
    )


def main() -> None:
    """Do the runs."""
    args = parse_args()
    # Runs are started in other processes, which must find mmcoop too.
    paths = [sys.path[0], os.environ.get('PYTHONPATH', '')]
    os.environ['PYTHONPATH'] = os.pathsep.join(filter(None, paths))
    try:
        runs = read_sweep(args.sweep)
        runs = sweep.select(runs, args.only)
        if args.dry_run:
            print('\n'.join(run.name for run in runs))
            return
        resources = choose_resources(args)
        work_dir = args.work_dir or f'work_dirs/{Path(args.sweep).stem}'
        folders = sweep.prepare(runs, work_dir, args.restart_changed)
        failed = sweep.run_sweep(
            folders, work_dir, resources, sweep.print_progress
        )
    except (
        ValueError,
        FileNotFoundError,
        ImportError,
        sweep.SubmissionError,
    ) as error:
        sys.exit(f'sweep.py: error: {error}')
    except KeyboardInterrupt:
        sys.exit('\nInterrupted. The same command goes on from here.')
    print()
    if failed:
        sys.exit(sweep.describe_failures(failed))
    print(f'All is done. Next: python tools/report.py {work_dir}')


if __name__ == '__main__':
    main()
