"""Learn from half of the classes, and evaluate on both halves.

    python tools/base_to_new.py CONFIG [--work-dir FOLDER] [--out FILE.json]

The first half of the classes is `base`, the rest is `new`; each is told
apart among itself. After an interruption the same command goes on.
"""

import argparse
import json
import sys
from pathlib import Path

# Find mmcoop beside this folder, for a clone that is not installed
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from mmcoop.engine import CommandError, read_config
from mmcoop.protocol.new_data import base_to_new
from mmcoop.protocol.run_folder import RunFolder


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description='Base to new classes.')
    parser.add_argument('config', help='path of the config')
    parser.add_argument(
        '--work-dir', help='else work_dirs/NAME_OF_THE_CONFIG-base_to_new'
    )
    parser.add_argument('--out', metavar='FILE', help='also write JSON')
    return parser.parse_args()


def main() -> None:
    """Train, evaluate, and print a table."""
    args = parse_args()
    default = f'work_dirs/{Path(args.config).stem}-base_to_new'
    folder = RunFolder(args.work_dir or default)
    try:
        cfg = read_config(args.config, str(folder.training))
        found = base_to_new(cfg, folder)
    except (CommandError, ValueError, FileNotFoundError) as error:
        sys.exit(f'base_to_new.py: error: {error}')
    print('\n| base | new | harmonic mean |\n| ---: | ---: | ---: |')
    print('| ' + ' | '.join(f'{v:.2f}' for v in found.values()) + ' |')
    if args.out is not None:
        text = json.dumps(found, indent=2) + '\n'
        Path(args.out).write_text(text, encoding='utf-8')


if __name__ == '__main__':
    main()
