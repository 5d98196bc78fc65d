"""Fit a linear classifier on image features, by the paper's protocol.

    python tools/linear_probe.py CONFIG [--shots 1 2 4 8 16] [--seeds 1 2 3]
        [--out FILE.json]

CONFIG is one of configs/linear_probe. For the whole grid of data sets and
backbones see configs/sweeps/coop_11_datasets.py.
"""

import argparse
import json
import sys
from pathlib import Path

import numpy as np

# Find mmcoop beside this folder, for a clone that is not installed
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from mmcoop.engine import CommandError, read_config
from mmcoop.protocol.linear_probe import probe


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description='Linear probe.')
    parser.add_argument('config', help='path of the config')
    parser.add_argument(
        '--shots',
        nargs='+',
        type=int,
        help="images per class; else the config's",
    )
    parser.add_argument('--seeds', nargs='+', type=int, default=[1, 2, 3])
    parser.add_argument('--out', metavar='FILE', help='also write JSON')
    return parser.parse_args()


def main() -> None:
    """Fit, and print a line per number of shots."""
    args = parse_args()
    found: dict[int, dict[int, float]] = {}
    try:
        cfg = read_config(args.config)
        shots = cfg.train_dataloader.dataset
        for num_shots in args.shots or [shots.num_shots]:
            for seed in args.seeds:
                shots.num_shots, shots.seed = num_shots, seed
                accuracy = probe(cfg)['test']
                found.setdefault(num_shots, {})[seed] = accuracy
            values = list(found[num_shots].values())
            print(
                f'{num_shots} shots: {np.mean(values):.2f} ± '
                f'{np.std(values):.2f} % (seeds '
                f'{", ".join(map(str, args.seeds))}: '
                f'{", ".join(f"{value:.2f}" for value in values)})',
                flush=True,
            )
    except (CommandError, ValueError, FileNotFoundError) as error:
        sys.exit(f'linear_probe.py: error: {error}')
    except ImportError as error:
        sys.exit(
            f'linear_probe.py: error: {error}: the linear probe needs '
            'scikit-learn. Run `pip install scikit-learn`.'
        )
    if args.out is not None:
        text = json.dumps(found, indent=2) + '\n'
        Path(args.out).write_text(text, encoding='utf-8')


if __name__ == '__main__':
    main()
