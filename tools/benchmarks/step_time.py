"""Measure a training step against one that encodes all tokens.

    python tools/benchmarks/step_time.py [--classes 1000] [--with-images] …

A step is forward, loss, backward and SGD, with random weights unless the
model brings its own. "plain" is the same head, with every prompt encoded at
its full length, as the original implementation does. Both run in turn in one
process, so what else the machine does meets both; the table has medians.
"""

import argparse
import copy
import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import mmengine
import open_clip
import torch
from mmpretrain.structures import DataSample
from rich.console import Console
from rich.table import Table
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

# Find mmcoop beside this folder's parent, for a clone that is not installed
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from mmcoop.models.clip import IMAGENET_CLASS_NAMES, PRECISIONS, CLIPVision
from mmcoop.models.coop_head import CoOpHead
from mmcoop.models.prompt_layout import POSITIONS

TRIAL = dict(model='embedded:tiny_clip', classes=5, batch=2, repeat=1)


class PlainHead(CoOpHead):
    """Encodes all L tokens of every prompt."""

    def encode_text(self) -> Tensor:
        """Encode the prompts around the current context.

        Returns:
            Tensor: (K, E), before normalisation.
        """
        learner = self.prompt_learner
        return self.text_encoder(learner(self.text_encoder), learner.layout)


FORMS = ('plain', 'ours')


class TrainingStep:
    """One training step, to be called again and again.

    Args:
        head (type[CoOpHead]): What learns.
        names (list[str]): K class names.
        args (argparse.Namespace): See :func:`add_step_arguments`.
        with_images (bool): Encode images; else their features are at hand.
            Defaults to False.
        **options: For the head.
    """

    def __init__(
        self,
        head: type[CoOpHead],
        names: list[str],
        args: argparse.Namespace,
        with_images: bool = False,
        **options,
    ):
        torch.manual_seed(0)
        clip = dict(name=args.model, precision=args.precision)
        backbone = CLIPVision(clip)
        learner = dict(
            num_context=args.num_context,
            class_specific=args.class_specific,
            class_token_position=args.position,
        )
        self.head = head(clip, names, learner, **options)
        self.head.to(args.device).train()
        self.backbone = backbone.to(args.device) if with_images else None
        shape = (self.head.text_encoder.embed_dim,)
        if with_images:
            shape = 3, *backbone.image_size
        self.inputs = torch.randn(args.batch, *shape).to(args.device)
        self.samples = [
            DataSample().set_gt_label(label % len(names)).to(args.device)
            for label in range(args.batch)
        ]
        self.ctx = self.head.prompt_learner.ctx
        self.optimizer = torch.optim.SGD(
            [self.ctx], lr=0.002, momentum=0.9, weight_decay=5e-4
        )

    def __call__(self) -> None:
        """Learn from one batch."""
        feats = (self.inputs,)
        if self.backbone is not None:
            feats = self.backbone(self.inputs)
        self.optimizer.zero_grad()
        self.head.loss(feats, self.samples)['loss'].backward()
        self.optimizer.step()


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description='Measure a training step against the plain form.'
    )
    parser.add_argument(
        '--classes',
        type=int,
        default=100,
        metavar='K',
        help='names of ImageNet, from the first; 1000 at most',
    )
    parser.add_argument(
        '--with-images',
        action='store_true',
        help='encode images too; else their features are at hand',
    )
    parser.add_argument('--text-chunk-size', type=int, metavar='CLASSES')
    add_step_arguments(parser)
    args = parse_with_trial(parser, **TRIAL)
    if not 1 <= args.classes <= len(IMAGENET_CLASS_NAMES):
        parser.error(
            f'--classes {args.classes}: ImageNet has 1 to '
            f'{len(IMAGENET_CLASS_NAMES)}; class_scaling.py goes further'
        )
    return args


def add_step_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what all benchmarks of steps take."""
    parser.add_argument(
        '--model', default='ViT-B-16-quickgelu', help='what open_clip takes'
    )
    parser.add_argument('--num-context', type=int, default=16, metavar='M')
    parser.add_argument('--position', choices=POSITIONS, default='end')
    parser.add_argument('--class-specific', action='store_true')
    parser.add_argument('--batch', type=int, default=32, help='images')
    parser.add_argument(
        '--compile',
        action=argparse.BooleanOptionalAction,
        help='compile the text tower; else as the head does, on a GPU',
    )
    parser.add_argument(
        '--repeat', type=int, default=5, help='how many steps to time'
    )
    parser.add_argument('--precision', choices=PRECISIONS, default='fp32')
    parser.add_argument(
        '--device', default='cuda' if torch.cuda.is_available() else 'cpu'
    )
    parser.add_argument('--json', metavar='FILE', help='write results there')
    parser.add_argument(
        '--trial', action='store_true', help='a tiny model, one step'
    )


def parse_with_trial(
    parser: argparse.ArgumentParser, **trial
) -> argparse.Namespace:
    """Read a command line on which ``--trial`` stands for other defaults."""
    args = parser.parse_args()
    if args.trial:
        parser.set_defaults(**trial)
        args = parser.parse_args()
    for name in ('batch', 'repeat'):
        if getattr(args, name) < 1:
            parser.error(f'--{name} {getattr(args, name)}: give at least 1')
    return args


def class_names(count: int) -> list[str]:
    """Take the first names of ImageNet."""
    if count == len(IMAGENET_CLASS_NAMES):
        return list(IMAGENET_CLASS_NAMES)
    # Two occur twice, which is allowed of the whole list alone.
    return list(dict.fromkeys(IMAGENET_CLASS_NAMES))[:count]


def build(args: argparse.Namespace, form: str) -> TrainingStep:
    """Build the step of one form, 'plain' or 'ours'."""
    names = class_names(args.classes)
    if form == 'plain':
        return TrainingStep(PlainHead, names, args, args.with_images)
    return TrainingStep(
        CoOpHead,
        names,
        args,
        args.with_images,
        text_chunk_size=args.text_chunk_size,
        compile_text=args.compile,
    )


def measure(args: argparse.Namespace) -> dict:
    """Run both forms in turn.

    Returns:
        dict: ``rows``, one per form; ``gradient_error``, the largest
        difference of the two gradients, over the largest entry; and
        ``compiled``, whether our text tower was.
    """
    device = torch.device(args.device)
    steps = {form: build(args, form) for form in FORMS}
    rows = {
        form: dict(form=form, **count_work(step.head))
        for form, step in steps.items()
    }
    # The first step meets the same context in both, and warms up.
    gradients = {form: first_gradient(step) for form, step in steps.items()}
    times = {form: [] for form in FORMS}
    for _ in range(args.repeat):
        for form, step in steps.items():
            times[form].append(milliseconds(step, device))
    for form, row in rows.items():
        row['ms'] = statistics.median(times[form])
        row['peak_bytes'] = (
            peak_growth(steps[form], device)
            if device.type == 'cuda'
            else in_own_process(_peak_of_step, args, form)
        )
    mode = steps['ours'].head.compile_text
    return dict(
        rows=list(rows.values()),
        gradient_error=relative_error(gradients['ours'], gradients['plain']),
        compiled=device.type == 'cuda' if mode is None else bool(mode),
    )


def first_gradient(step: TrainingStep) -> Tensor:
    """Take two steps, and return the gradient of the first."""
    step()
    gradient = step.ctx.grad.detach().cpu()
    step()
    return gradient


def relative_error(ours: Tensor, expected: Tensor) -> float:
    """Compare by the largest entry."""
    return float((ours - expected).abs().max() / expected.abs().max())


def count_work(head: CoOpHead) -> dict[str, float]:
    """Count what the text tower does in a step, whatever the device.

    Returns:
        dict[str, float]: ``tokens`` that it encodes, and ``gflop``, 10^9
        operations of matrix products, forward and backward.
    """
    layouts = head.prompt_learner.parts
    tokens = sum(layout.num_tokens for layout in layouts)
    if isinstance(head, PlainHead) or head.text_encoder.plain_because:
        tokens = sum(layout.token_ids.numel() for layout in layouts)
    # Nothing is computed on this device, so nothing depends on one.
    head = copy.deepcopy(head).to('meta')
    head.compile_text = False
    with FlopCounterMode(display=False) as counter:
        head.encode_text().sum().backward()
    return dict(tokens=tokens, gflop=counter.get_total_flops() / 1e9)


def milliseconds(call: Callable[[], None], device: torch.device) -> float:
    """Time one call."""
    if device.type == 'cuda':
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        torch.cuda.synchronize(device)
        start.record()
        call()
        end.record()
        torch.cuda.synchronize(device)
        return start.elapsed_time(end)
    before = time.perf_counter()
    call()
    return 1000 * (time.perf_counter() - before)


def peak_growth(call: Callable[[], None], device: torch.device) -> int | None:
    """Call, and find what it needs at its peak above what was there.

    Returns:
        int | None: Bytes of tensors on a GPU, of the process elsewhere.
        None: the system does not tell, as others than Linux do not.
    """
    if device.type == 'cuda':
        before = torch.cuda.memory_allocated(device)
        torch.cuda.reset_peak_memory_stats(device)
        call()
        return torch.cuda.max_memory_allocated(device) - before
    try:
        # Linux: forget the peak so far, which loading the weights set.
        Path('/proc/self/clear_refs').write_text('5')
        before = process_bytes('VmRSS')
    except OSError:
        before = None
    call()
    return None if before is None else process_bytes('VmHWM') - before


def process_bytes(what: str) -> int:
    """Memory of this process: 'VmRSS', now, or 'VmHWM', at its peak."""
    for line in Path('/proc/self/status').read_text().splitlines():
        if line.startswith(f'{what}:'):
            return 1024 * int(line.split()[1])
    raise OSError(f'/proc/self/status has no {what}')


def in_own_process(function: Callable, *args):
    """Call where nothing else has left memory behind."""
    with ProcessPoolExecutor(1, mp_context=get_context('spawn')) as pool:
        return pool.submit(function, *args).result()


def _peak_of_step(args: argparse.Namespace, form: str) -> int | None:
    step = build(args, form)
    return peak_growth(step, step.ctx.device)


def environment(device: str) -> dict[str, str | int]:
    """Name what the numbers belong to."""
    if torch.device(device).type == 'cuda':
        processor = torch.cuda.get_device_name(device)
    else:
        processor = _cpu_name()
    return dict(
        device=processor,
        threads=torch.get_num_threads(),
        load=f'{os.getloadavg()[0]:.1f}' if hasattr(os, 'getloadavg') else '',
        python=platform.python_version(),
        torch=torch.__version__,
        open_clip=open_clip.__version__,
        mmengine=mmengine.__version__,
    )


def _cpu_name() -> str:
    info = Path('/proc/cpuinfo')
    lines = info.read_text().splitlines() if info.is_file() else []
    names = (line.partition(':')[2] for line in lines if 'model name' in line)
    return next(names, platform.processor()).strip()


def mebibytes(count: int | None) -> str:
    """Write bytes as MiB."""
    return 'n/a' if count is None else f'{count / 2**20:,.0f} MiB'


def print_table(result: dict) -> None:
    """Print what was measured."""
    console = Console()
    print(', '.join(f'{k} {v}' for k, v in result['environment'].items()))
    print(', '.join(f'{k} {v}' for k, v in result['settings'].items()))
    table = Table()
    table.add_column('form')
    for name in ('ms', 'ratio', 'memory', 'tokens', 'GFLOP', 'ratio'):
        table.add_column(name, justify='right')
    plain = result['rows'][0]
    for row in result['rows']:
        table.add_row(
            row['form'],
            f'{row["ms"]:,.1f}',
            f'{plain["ms"] / row["ms"]:.1f}',
            mebibytes(row['peak_bytes']),
            f'{row["tokens"]:,}',
            f'{row["gflop"]:,.1f}',
            f'{plain["gflop"] / row["gflop"]:.1f}',
        )
    console.print(table)
    print(
        'ms: median of a step. memory: peak of a step, above weights and '
        'data. tokens, GFLOP:\ntext tower, forward and backward.\n'
        f'compiled: {"yes" if result["compiled"] else "no"}. gradients '
        f'differ by {result["gradient_error"]:.1g} (relative).'
    )


def main() -> None:
    """Measure, print, write."""
    args = parse_args()
    # Before measuring: what runs here raises the load itself.
    surroundings = environment(args.device)
    try:
        measured = measure(args)
    except (ValueError, FileNotFoundError) as error:
        sys.exit(f'step_time.py: error: {error}')
    settings = {
        name: value
        for name, value in vars(args).items()
        if name not in ('json', 'trial')
    }
    result = dict(environment=surroundings, settings=settings, **measured)
    print_table(result)
    if args.json:
        Path(args.json).write_text(json.dumps(result, indent=1))


if __name__ == '__main__':
    main()
