"""Run the image tower once, and keep what it gives.

    python tools/cache_features.py CONFIG [--views V] [--out FOLDER] …

CONFIG is one that trains from kept features (`*_cached.py`), or one that
trains from images. Features that are there and up to date are left alone;
after an interruption, the same command goes on. See docs/features_kept.md.
"""

import argparse
import os
import sys
from pathlib import Path

from mmengine.config import Config, DictAction
from mmengine.registry import init_default_scope

# Find mmcoop beside this folder, for a clone that is not installed
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from mmcoop.datasets import keep_features
from mmcoop.engine import CommandError, read_config
from mmcoop.registry import DATASETS

CACHED = 'mmcoop.CachedFeatures'
# Where a config that trains from images has nothing to say about it
DEFAULT_VIEWS = 8
DEFAULT_FOLDER = Path('data', 'features')


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description='Compute image features once, to train from them.'
    )
    parser.add_argument('config', help='path of the config')
    parser.add_argument(
        '--views',
        type=int,
        metavar='V',
        help='augmented views of each training image; without it, what the '
        f'config says, or {DEFAULT_VIEWS}. Test images have one',
    )
    parser.add_argument(
        '--out',
        metavar='FOLDER',
        help='where the features go; without it, where the config looks for '
        f'them, or {DEFAULT_FOLDER / "NAME_OF_THE_CONFIG"}',
    )
    parser.add_argument(
        '--workers',
        type=int,
        default=min(8, os.cpu_count() or 1),
        help='processes that read images; results do not depend on it',
    )
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=DictAction,
        metavar='KEY=VALUE',
        help='change the config: a.b=1, a.b="[1,2]" or a.b=1,2',
    )
    args = parser.parse_args()
    if args.views is not None and args.views < 1:
        parser.error(f'--views {args.views}: give at least 1')
    return args


def build_config(args: argparse.Namespace) -> Config:
    """Read the config and apply the command line to it."""
    cfg = read_config(args.config)
    cfg.merge_from_dict(args.cfg_options or {})
    return cfg


def find_datasets(cfg: Config, args: argparse.Namespace) -> dict[str, tuple]:
    """Find what to compute.

    Args:
        cfg (Config): The config.
        args (argparse.Namespace): The command line.

    Returns:
        dict[str, tuple]: Where features go, to the config of their
        `CachedFeatures` and the batch size of their loader.

    Raises:
        CommandError: If two data sets want the same file.
    """
    found: dict[str, tuple] = {}
    for split in ('train', 'val', 'test'):
        loader = cfg.get(f'{split}_dataloader')
        if not loader:
            continue
        dataset = loader.dataset
        if dataset.type == CACHED:
            dataset = dict(dataset)
            path = Path(dataset['path'])
        else:
            dataset = _around_images(dataset, cfg.model)
            path = DEFAULT_FOLDER / Path(args.config).stem / split
        if split == 'train':
            default = dataset.get('num_views', DEFAULT_VIEWS)
            dataset['num_views'] = args.views or default
        # Validation and test are often on the same images.
        if any(dataset == other for other, _ in found.values()):
            continue
        if args.out:
            path = Path(args.out, path.name)
        if str(path) in found:
            raise CommandError(
                f'{split}_dataloader and another loader want different '
                f'features in the same file, {path}: change both alike, or '
                f'set {split}_dataloader.dataset.path to another file.'
            )
        found[str(path)] = (dataset, loader.batch_size)
    return found


def _around_images(dataset: dict, model: dict) -> dict:
    """Write the config of features of a data set's images."""
    image_model = dict(
        data_preprocessor=model['data_preprocessor'],
        backbone=model['backbone'],
    )
    return dict(type=CACHED, dataset=dataset, image_model=image_model)


def main() -> None:
    """Compute what is not there yet."""
    args = parse_args()
    try:
        cfg = build_config(args)
        init_default_scope(cfg.get('default_scope', 'mmpretrain'))
        for path, (dataset, batch_size) in find_datasets(cfg, args).items():
            features = DATASETS.build(dict(dataset, path=path, lazy_init=True))
            done = keep_features(features, batch_size, args.workers)
            print(f'{path}: {"written" if done else "up to date"}')
    except CommandError as error:
        sys.exit(f'cache_features.py: error: {error}')


if __name__ == '__main__':
    main()
