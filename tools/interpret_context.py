"""Show which words a learned context is nearest to.

    python tools/interpret_context.py CONFIG CHECKPOINT [--words 5]
        [--classes NAME …] [--out FILE.json]

CONFIG says which CLIP the context was learned with. Works for unified and
class-specific contexts, of mmcoop and of the original.
"""

import argparse
import json
import pickle
import sys
from pathlib import Path

# Find mmcoop beside this folder, for a clone that is not installed
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from mmcoop.engine import CommandError, read_config
from mmcoop.models.clip import text_encoder
from mmcoop.protocol.nearest_words import nearest_words, to_markdown
from mmcoop.protocol.official_checkpoint import load_context


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description='Interpret a context.')
    parser.add_argument('config', help='path of the config')
    parser.add_argument('checkpoint', help='what was learned')
    parser.add_argument(
        '--words', type=int, default=5, help='words per vector'
    )
    parser.add_argument(
        '--classes',
        nargs='+',
        metavar='NAME',
        help='of a class-specific context, those to show; else all',
    )
    parser.add_argument('--out', metavar='FILE', help='also write JSON')
    return parser.parse_args()


def choose_classes(
    names: tuple[str, ...], wanted: list[str] | None
) -> list[int]:
    """Find the labels of the classes to show.

    Raises:
        ValueError: If there is no class of a name.
    """
    if wanted is None:
        return list(range(len(names)))
    missing = [name for name in wanted if name not in names]
    if missing:
        raise ValueError(
            f'--classes {missing[0]}: the context has no such class; it has '
            f'{", ".join(names[:10])}{"…" * (len(names) > 10)}.'
        )
    return [names.index(name) for name in wanted]


def main() -> None:
    """Print the table."""
    args = parse_args()
    try:
        context = load_context(args.checkpoint)
        encoder = text_encoder(read_config(args.config).model.head.clip)
        ctx, names = context.ctx, None
        if ctx.dim() == 3:
            numbers = tuple(map(str, range(len(ctx))))
            names = context.class_names or numbers
            labels = choose_classes(names, args.classes)
            ctx, names = ctx[labels], [names[label] for label in labels]
        words = nearest_words(ctx, encoder, args.words)
    except (
        CommandError,
        ValueError,
        OSError,
        RuntimeError,
        pickle.PickleError,
    ) as error:
        sys.exit(f'interpret_context.py: error: {error}')
    print(to_markdown(words, names))
    if args.out is not None:
        found = dict(clip=encoder.name, class_names=names, nearest_words=words)
        text = json.dumps(found, indent=2, ensure_ascii=False)
        Path(args.out).write_text(text + '\n', encoding='utf-8')


if __name__ == '__main__':
    main()
