"""Name what images show, with what a checkpoint has learned.

    python tools/predict.py CHECKPOINT IMAGES… [--classes NAME …]
        [--out results.csv] [--top-k 3]

The checkpoint brings its config and class names; nothing in it is run.
"""

import argparse
import sys
from contextlib import nullcontext
from pathlib import Path

# Find mmcoop beside this folder, for a clone that is not installed
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import mmcoop
from mmcoop.apis.loading import LOAD_ERRORS
from mmcoop.apis.prediction_table import to_table, whole_file, write_csv
from mmcoop.models.class_names import resolve_class_names


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description='Name what images show.',
        epilog='The exit status is 0 if every image could be read, and 1 '
        'otherwise; the results of the others are printed and written all '
        'the same.',
    )
    parser.add_argument('checkpoint', help='what was learned')
    parser.add_argument(
        'images',
        nargs='+',
        metavar='IMAGES',
        help='files, and folders of files',
    )
    parser.add_argument(
        '--classes',
        nargs='+',
        metavar='NAME',
        help='other names to tell apart, or one text file, a name a line; '
        'not for a class-specific context',
    )
    parser.add_argument('--out', metavar='FILE', help='also write a CSV file')
    parser.add_argument(
        '--top-k', type=int, default=1, help='how many classes to list'
    )
    parser.add_argument(
        '--batch-size', type=int, default=32, help='images at a time'
    )
    parser.add_argument('--device', help='cpu, cuda:0, …; by default a GPU')
    parser.add_argument(
        '--config', help="use this config, not the checkpoint's own"
    )
    return parser.parse_args()


def read_classes(classes: list[str]) -> tuple[str, ...]:
    """Read the names, or the one file that they are in."""
    [first, *others] = classes
    if not others and (Path(first).is_file() or first.endswith('.txt')):
        return resolve_class_names(first)
    return tuple(classes)


def predict(args: argparse.Namespace) -> list[mmcoop.Prediction]:
    """Do what the command line asks for, and write the file."""
    out = nullcontext() if args.out is None else whole_file(Path(args.out))
    # Opened before the work: a file that cannot be written is found now.
    with out as file:
        classifier = mmcoop.load(args.checkpoint, args.config, args.device)
        if args.classes is not None:
            names = read_classes(args.classes)
            classifier = classifier.with_classes(names)
        # A folder alone is counted before, for the progress bar.
        images = args.images if args.images[1:] else args.images[0]
        predictions = classifier.predict(
            images, batch_size=args.batch_size, top_k=args.top_k
        )
        if file is not None:
            write_csv(predictions, file)
    return predictions


def main() -> None:
    """Print the table."""
    args = parse_args()
    try:
        predictions = predict(args)
    except LOAD_ERRORS as error:
        sys.exit(f'predict.py: error: {error}')
    print(to_table(predictions))
    failed = sum(item.error is not None for item in predictions)
    if failed:
        sys.exit(
            f'predict.py: {failed} of {len(predictions)} images could not be '
            'read'
        )


if __name__ == '__main__':
    main()
