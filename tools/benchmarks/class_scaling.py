"""Measure how a training step grows with the number of classes.

    python tools/benchmarks/class_scaling.py [--classes 1000 5000 …]

A step is that of `step_time.py`, features of images at hand. Every number of
classes gets a process of its own, so that memory is its own. The names are
ImageNet's, numbered.
"""

import argparse
import itertools
import json
import math
import statistics
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import open_clip
import torch
from rich.console import Console
from rich.table import Table
from step_time import (
    TrainingStep,
    add_step_arguments,
    environment,
    first_gradient,
    in_own_process,
    mebibytes,
    milliseconds,
    parse_with_trial,
    peak_growth,
    process_bytes,
    relative_error,
)

from mmcoop.models.clip import IMAGENET_CLASS_NAMES
from mmcoop.models.coop_head import CoOpHead

TRIAL = dict(width=16, classes=[20, 60], text_chunk_size=10, repeat=1)


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description='Measure a training step for many classes.'
    )
    parser.add_argument(
        '--classes',
        nargs='+',
        type=int,
        default=[1000, 5000, 21841],
        metavar='K',
    )
    parser.add_argument(
        '--text-chunk-size',
        type=int,
        default=1000,
        metavar='CLASSES',
        help='encode so many at a time; 0 encodes all at once',
    )
    parser.add_argument(
        '--width',
        type=int,
        metavar='D',
        help='in place of --model, two layers of this width: a multiple of 8',
    )
    add_step_arguments(parser)
    args = parse_with_trial(parser, **TRIAL)
    if min(args.classes) < 1:
        parser.error(f'--classes {min(args.classes)}: give at least 1')
    if args.width is not None and (args.width < 8 or args.width % 8):
        parser.error(f'--width {args.width}: give a multiple of 8')
    return args


def class_names(count: int) -> list[str]:
    """Make up names: ImageNet's, with a number."""
    unique = dict.fromkeys(IMAGENET_CLASS_NAMES)
    # A digit is a token: as many in every name, lest time per class grow.
    rounds = (
        f'{name} {number:03d}'
        for number in itertools.count()
        for name in unique
    )
    return list(itertools.islice(rounds, count))


def build(
    args: argparse.Namespace, num_classes: int, chunk_size: int | None
) -> TrainingStep:
    """Build a step that learns so many classes."""
    return TrainingStep(
        CoOpHead,
        class_names(num_classes),
        args,
        text_chunk_size=chunk_size,
        compile_text=args.compile,
    )


def measure(args: argparse.Namespace, num_classes: int) -> dict:
    """Measure one number of classes.

    Returns:
        dict: ``classes``, ``tokens``, ``ms`` of a step, ``peak_bytes`` of a
        step and, on a CPU, ``process_bytes`` of all, names and weights
        included.
    """
    step = build(args, num_classes, args.text_chunk_size or None)
    device = step.ctx.device
    built = _process_peak(device)
    # On a CPU the first step, before memory is there to be used again; on a
    # GPU a later one, since the first may compile.
    if device.type == 'cuda':
        first_gradient(step)
    peak = peak_growth(step, device)
    times = [milliseconds(step, device) for _ in range(args.repeat)]
    layouts = step.head.prompt_learner.parts
    return dict(
        classes=num_classes,
        tokens=sum(layout.num_tokens for layout in layouts),
        ms=statistics.median(times),
        peak_bytes=peak,
        # The first of the two is forgotten when a step is measured.
        process_bytes=built and max(built, _process_peak(device)),
    )


def _process_peak(device: torch.device) -> int | None:
    if device.type != 'cpu':
        return None
    try:
        return process_bytes('VmHWM')
    except OSError:  # No Linux
        return None


def compare_gradients(args: argparse.Namespace, num_classes: int) -> float:
    """Hold the gradient in chunks, at least two, against that of one."""
    half = math.ceil(num_classes / 2)
    ours, expected = (
        first_gradient(build(args, num_classes, size))
        for size in (min(args.text_chunk_size or half, half), None)
    )
    return relative_error(ours, expected)


@contextmanager
def made_model(args: argparse.Namespace) -> Iterator[None]:
    """Let ``args.model`` be one of ``args.width``, if that is given."""
    if args.width is None:
        yield
        return
    D = args.width
    cfg = dict(
        embed_dim=D,
        vision_cfg=dict(
            image_size=16, layers=1, width=D, patch_size=8, head_width=8
        ),
        text_cfg=dict(
            context_length=77, vocab_size=49408, width=D, heads=2, layers=2
        ),
    )
    with tempfile.TemporaryDirectory() as folder:
        torch.manual_seed(0)
        weights = open_clip.CLIP(**cfg).state_dict()
        torch.save(weights, Path(folder, 'open_clip_pytorch_model.bin'))
        config = json.dumps(dict(model_cfg=cfg, preprocess_cfg={}))
        Path(folder, 'open_clip_config.json').write_text(config)
        args.model = f'local-dir:{folder}'
        yield
    args.model = f'2 layers of width {D}'


def print_table(result: dict) -> None:
    """Print what was measured."""
    print(', '.join(f'{k} {v}' for k, v in result['environment'].items()))
    print(', '.join(f'{k} {v}' for k, v in result['settings'].items()))
    table = Table()
    for name in (
        'classes',
        'tokens',
        'ms',
        'ms per 1000',
        'memory',
        'process',
    ):
        table.add_column(name, justify='right')
    for row in result['rows']:
        table.add_row(
            f'{row["classes"]:,}',
            f'{row["tokens"]:,}',
            f'{row["ms"]:,.1f}',
            f'{1000 * row["ms"] / row["classes"]:,.1f}',
            mebibytes(row['peak_bytes']),
            mebibytes(row['process_bytes']),
        )
    Console().print(table)
    print(
        'ms: median of a step. memory: peak of a step, above weights and '
        'data. process: peak of\nall. At the smallest K, the gradient in '
        f'chunks differs from that of all classes at\nonce by '
        f'{result["gradient_error"]:.1g} (relative).'
    )


def main() -> None:
    """Measure, print, write."""
    args = parse_args()
    surroundings = environment(args.device)
    try:
        with made_model(args):
            rows = [
                in_own_process(measure, args, num_classes)
                for num_classes in args.classes
            ]
            error = compare_gradients(args, min(args.classes))
    except (ValueError, FileNotFoundError) as fault:
        sys.exit(f'class_scaling.py: error: {fault}')
    settings = {
        name: value
        for name, value in vars(args).items()
        if name not in ('classes', 'json', 'trial', 'width')
    }
    result = dict(
        environment=surroundings,
        settings=settings,
        rows=rows,
        gradient_error=error,
    )
    print_table(result)
    if args.json:
        Path(args.json).write_text(json.dumps(result, indent=1))


if __name__ == '__main__':
    main()
