"""Write a learned classifier in a form that needs no text tower.

    python tools/export.py CHECKPOINT --to FORMAT --out FILE

What is written is read again and compared with PyTorch on images before it
appears under its name. See docs/guides/export.md.
"""

import argparse
import pickle
import sys
from pathlib import Path

# Find mmcoop beside this folder, for a clone that is not installed
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import mmcoop
from mmcoop.export import FORMATS, ExportError, check_export, export
from mmcoop.models.class_names import resolve_class_names


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description='Export a classifier.')
    parser.add_argument('checkpoint', help='what was learned')
    parser.add_argument(
        '--to',
        required=True,
        choices=FORMATS,
        help='linear: a checkpoint and config of mmpretrain; onnx; pt2: a '
        'program of torch.export; safetensors: the text features',
    )
    parser.add_argument(
        '--out',
        required=True,
        metavar='FILE',
        help='file to write, ending in '
        + ', '.join(suffixes[0] for suffixes in FORMATS.values())
        + '; linear writes a .py beside it, safetensors a .json',
    )
    parser.add_argument(
        '--classes',
        nargs='+',
        metavar='NAME',
        help='other names to classify into, or a text file, one a line',
    )
    parser.add_argument(
        '--config',
        help='the config that was trained with, where the checkpoint brings '
        'none',
    )
    parser.add_argument(
        '--overwrite', action='store_true', help='replace files'
    )
    return parser.parse_args()


def main() -> None:
    """Export."""
    args = parse_args()
    try:
        sources = [path for path in (args.checkpoint, args.config) if path]
        check_export(args.to, args.out, sources, args.overwrite)
        classifier = mmcoop.load(args.checkpoint, args.config, device='cpu')
        if args.classes is not None:
            names = args.classes
            if len(names) == 1 and Path(names[0]).is_file():
                names = resolve_class_names(names[0])
            classifier = classifier.with_classes(names)
        done = export(
            classifier,
            args.to,
            args.out,
            overwrite=args.overwrite,
            test_data=args.classes is None,
        )
    except (
        ExportError,
        OSError,
        RuntimeError,
        ValueError,
        pickle.PickleError,
    ) as error:
        sys.exit(f'export.py: error: {error}')
    for path in done.files:
        print(f'{path}: {_size(path.stat().st_size)}')
    note = f' It {done.note}.' if done.note else ''
    print(
        f'{len(classifier.class_names)} classes. Read again and compared '
        f'with PyTorch on {done.num_images} images: the same labels, scores '
        f'differ by at most {done.difference:.0e}.{note}'
    )


def _size(count: int) -> str:
    return f'{count / 2**20:.1f} MiB' if count >= 2**20 else f'{count} bytes'


if __name__ == '__main__':
    main()
