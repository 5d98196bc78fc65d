"""Turn a checkpoint of the original CoOp into one of mmcoop, or back.

    python tools/convert_checkpoint.py model.pth.tar-50 context.pth
    python tools/convert_checkpoint.py epoch_50.pth model.pth.tar-50

The direction follows from what is in the file. No code from the file is run.
The result of the first is evaluated with `tools/test.py CONFIG context.pth`,
with a config of the same CLIP, M, position and kind of context.
"""

import argparse
import pickle
import sys
from pathlib import Path

import torch

# Find mmcoop beside this folder, for a clone that is not installed
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from mmcoop.models.class_names import resolve_class_names
from mmcoop.protocol.official_checkpoint import (
    load_context,
    official_checkpoint,
    our_checkpoint,
)


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description='Convert a checkpoint.')
    parser.add_argument('source', help='file to read')
    parser.add_argument('target', help='file to write')
    parser.add_argument(
        '--class-names',
        metavar='FILE',
        help="names that the original's context was learned for: a text "
        "file, one a line, or a known set like 'imagenet'; they become a "
        'part of the checkpoint, as in training',
    )
    parser.add_argument(
        '--fp16',
        action='store_true',
        help="write the original's form in half precision, as its runs have "
        'it by default',
    )
    return parser.parse_args()


def main() -> None:
    """Convert."""
    args = parse_args()
    try:
        context = load_context(args.source)
        names = context.class_names
        if args.class_names is not None:
            names = resolve_class_names(args.class_names)
    except (ValueError, OSError, RuntimeError, pickle.PickleError) as error:
        sys.exit(f'convert_checkpoint.py: error: {error}')
    *classes, num_context, width = context.ctx.shape
    if classes and names is not None and len(names) != classes[0]:
        sys.exit(
            f'convert_checkpoint.py: error: --class-names has {len(names)} '
            f'names, but the class-specific context is for {classes[0]}: '
            'give the names that it was learned for, in label order.'
        )
    if context.is_official:
        checkpoint = our_checkpoint(context.ctx, context.epoch, names)
    else:
        dtype = torch.float16 if args.fp16 else torch.float32
        checkpoint = official_checkpoint(context.ctx, context.epoch, dtype)
    torch.save(checkpoint, args.target)
    kind = f'class-specific, K = {classes[0]}' if classes else 'unified'
    form = 'mmcoop' if context.is_official else 'the original'
    print(
        f'{args.target}: a context for {form}, {kind}, M = {num_context}, '
        f'D = {width}, epoch {context.epoch}.'
    )
    if context.is_official:
        print(
            'For the config: prompt_learner=dict('
            f'num_context={num_context}, class_specific={bool(classes)}, '
            'class_token_position=…); the position is not in the file.'
        )


if __name__ == '__main__':
    main()
