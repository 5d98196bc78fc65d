"""Measure how many images a core can prepare for training.

    python tools/benchmarks/pipeline.py CONFIG [--generate W H] [--json FILE]

Takes the pipeline of the config's training data apart, one step at a time, in
one process with one thread, as a worker of the data loader runs it. With
kept features (`*_cached.py`) it measures reading those. Says how many cores
keep up with training steps of given lengths. Times are the processor's, so
what else runs there counts little; waiting for a disk does not count at all.
"""

import argparse
import json
import math
import platform
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import mmcv
import mmengine
import numpy as np
import PIL
import torch
from mmengine.config import Config, DictAction
from mmengine.dataset import Compose, default_collate
from mmengine.registry import init_default_scope
from PIL import Image

# Find mmcoop beside this folder's parent, for a clone that is not installed
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from mmcoop.datasets.feature_origin import pipelines_of
from mmcoop.engine import CommandError, read_config
from mmcoop.registry import DATASETS

# Of a photograph of ImageNet's size; fewer or more bytes decode faster or
# slower
JPEG_QUALITY = 90
WARM_UP = 3


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description='Measure the training pipeline on one core.'
    )
    parser.add_argument('config', help='path of the config')
    parser.add_argument(
        '--generate',
        nargs=2,
        type=int,
        metavar=('W', 'H'),
        help="JPEGs of this size in place of the config's data, which need "
        'not be there; ImageNet has 500 375 mostly',
    )
    parser.add_argument(
        '--images', type=int, default=200, help='how many to prepare'
    )
    parser.add_argument(
        '--step-ms',
        nargs='+',
        type=float,
        default=[4.0, 7.5, 30.0, 120.0],
        metavar='MS',
        help='lengths of a training step to keep up with',
    )
    parser.add_argument('--json', metavar='FILE', help='write results there')
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=DictAction,
        metavar='KEY=VALUE',
        help='change the config: a.b=1, a.b="[1,2]" or a.b=1,2',
    )
    args = parser.parse_args()
    if args.images < 1:
        parser.error(f'--images {args.images}: give at least 1')
    return args


def measure(cfg: Config, args: argparse.Namespace) -> dict[str, float]:
    """Prepare images, and take the time.

    Returns:
        dict[str, float]: Seconds per image for each step, in order.
    """
    loader = cfg.train_dataloader
    pipelines = pipelines_of(loader.dataset)
    seconds: dict[str, float] = defaultdict(float)
    batch = []
    with _samples(loader.dataset, args) as (start, length):
        if loader.dataset.type == 'mmcoop.CachedFeatures':
            steps = []
        elif len(pipelines) == 1:
            steps = Compose(pipelines[0]).transforms
        else:
            raise CommandError(
                f'the training data have {len(pipelines)} pipelines, and '
                'this measures one: use a config with one.'
            )
        for index in range(-WARM_UP, args.images):
            if index == 0:
                seconds.clear()
            sample = _timed(seconds, 'data set', start, index % length)
            for step in steps:
                name = type(step).__name__
                sample = _timed(seconds, name, step, sample)
            batch.append(sample)
            if len(batch) == loader.batch_size:
                _timed(seconds, 'collate', default_collate, batch)
                batch = []
    return {name: value / args.images for name, value in seconds.items()}


@contextmanager
def _samples(
    dataset: dict, args: argparse.Namespace
) -> Iterator[tuple[Callable[[int], dict], int]]:
    """Give how a sample starts, and how many there are."""
    if not args.generate:
        built = DATASETS.build(dataset)
        cached = dataset.type == 'mmcoop.CachedFeatures'
        yield built.__getitem__ if cached else built.get_data_info, len(built)
        return
    with tempfile.TemporaryDirectory() as folder:
        paths = [
            _draw(Path(folder, f'{seed}.jpg'), *args.generate, seed)
            for seed in range(16)
        ]
        yield lambda i: dict(img_path=paths[i], gt_label=0), len(paths)


def _draw(path: Path, width: int, height: int, seed: int) -> str:
    """Save something with about as much detail as a photograph."""
    rng = np.random.default_rng(seed)
    pixels = np.zeros((height, width, 3))
    for cell in (64, 16, 4, 1):
        shape = (math.ceil(height / cell), math.ceil(width / cell), 3)
        noise = rng.uniform(-1, 1, shape) * 90 * (cell / 64) ** 0.5
        pixels += cv2.resize(noise, (width, height))
    image = Image.fromarray(np.clip(pixels + 128, 0, 255).astype('uint8'))
    image.save(path, quality=JPEG_QUALITY)
    return str(path)


def _timed(seconds: dict, name: str, call: Callable, argument: Any) -> Any:
    start = time.process_time()
    result = call(argument)
    seconds[name] += time.process_time() - start
    return result


def cores_needed(rate: float, batch_size: int, step_ms: float) -> int:
    """Compute how many cores keep up with training.

    Args:
        rate (float): Images per second that a core prepares.
        batch_size (int): Images in a training step.
        step_ms (float): Its length in milliseconds.

    Returns:
        int: Cores that do nothing else.
    """
    return math.ceil(batch_size / (step_ms / 1000) / rate)


def environment() -> dict[str, str]:
    """Name what the numbers belong to."""
    return dict(
        machine=platform.machine(),
        processor=_processor(),
        python=platform.python_version(),
        torch=torch.__version__,
        pillow=PIL.__version__,
        opencv=cv2.__version__,
        mmcv=mmcv.__version__,
        mmengine=mmengine.__version__,
    )


def _processor() -> str:
    info = Path('/proc/cpuinfo')
    lines = info.read_text().splitlines() if info.is_file() else []
    names = (line.partition(':')[2] for line in lines if 'model name' in line)
    return next(names, platform.processor()).strip()


def print_table(result: dict) -> None:
    """Print what was measured."""
    print(', '.join(f'{k} {v}' for k, v in result['environment'].items()))
    print(f'{result["config"]}, {result["images"]}\n')
    print(f'{"step":<24}{"ms per image":>14}{"share":>8}')
    total = sum(result['seconds'].values())
    for name, value in result['seconds'].items():
        print(f'{name:<24}{1000 * value:>14.3f}{value / total:>8.0%}')
    print(f'{"all":<24}{1000 * total:>14.3f}{1:>8.0%}\n')
    print(f'{result["images_per_second"]:.0f} images/s per core\n')
    print(f'{"training step":<24}{"images/s":>14}{"cores":>8}')
    for row in result['keep_up']:
        step = f'{row["step_ms"]:g} ms, batch {result["batch_size"]}'
        print(f'{step:<24}{row["images_per_second"]:>14.0f}{row["cores"]:>8}')


def main() -> None:
    """Measure, print, write."""
    args = parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(0)
    try:
        cfg = read_config(args.config)
        cfg.merge_from_dict(args.cfg_options or {})
        init_default_scope(cfg.get('default_scope', 'mmpretrain'))
        seconds = measure(cfg, args)
    except CommandError as error:
        sys.exit(f'pipeline.py: error: {error}')
    batch_size = cfg.train_dataloader.batch_size
    rate = 1 / sum(seconds.values())
    images = "the config's own data"
    if args.generate:
        images = 'generated JPEGs of {} x {}'.format(*args.generate)
    result = dict(
        environment=environment(),
        config=args.config,
        images=images,
        batch_size=batch_size,
        seconds=seconds,
        images_per_second=rate,
        keep_up=[
            dict(
                step_ms=step_ms,
                images_per_second=batch_size / (step_ms / 1000),
                cores=cores_needed(rate, batch_size, step_ms),
            )
            for step_ms in args.step_ms
        ],
    )
    print_table(result)
    if args.json:
        Path(args.json).write_text(json.dumps(result, indent=1))


if __name__ == '__main__':
    main()
