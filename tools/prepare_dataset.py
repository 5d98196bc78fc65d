"""Get one of the paper's data sets, or check it.

    python tools/prepare_dataset.py NAME [--root data]
    python tools/prepare_dataset.py NAME --check [--fast]

Downloads what has a public source, verifies it and lays it out; after an
interruption the same command goes on. For the rest it says what to do, and
then checks what was done.
"""

import argparse
import sys
from pathlib import Path

# Find mmcoop beside this folder, for a clone that is not installed
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from mmcoop.protocol.downloads import SOURCES
from mmcoop.protocol.fetch import FetchError
from mmcoop.protocol.prepare import check, prepare


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description='Get or check a data set.')
    parser.add_argument('name', choices=sorted(SOURCES))
    parser.add_argument(
        '--root', default='data', help='the folder of all data sets'
    )
    parser.add_argument(
        '--check',
        action='store_true',
        help='list every missing or unreadable file, and get nothing',
    )
    parser.add_argument(
        '--fast',
        action='store_true',
        help='look for images without reading them',
    )
    return parser.parse_args()


def main() -> None:
    """Get or check."""
    args = parse_args()
    by_hand = []
    if not args.check:
        try:
            by_hand = prepare(args.name, args.root)
        except FetchError as error:
            sys.exit(f'prepare_dataset.py: error: {error}')
    faults = check(args.name, args.root, read=not args.fast)
    if faults:
        lines = [*by_hand, *faults, f'{args.name}: {len(faults)} faults.']
        sys.exit('\n'.join(lines))
    print(f'{args.name}: all is there.')


if __name__ == '__main__':
    main()
