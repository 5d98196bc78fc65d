"""Learn prompts for the embedded data and compare them with a written one.

    python tools/demo.py [--work-dir work_dirs/demo]

Trains with 1, 4 and 16 shots through tools/train.py, evaluates on the test
split and on three drawing styles that training never saw, prints a table and
draws `prompts.png`: test images with the labels that both prompts give.
"""

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path

import matplotlib.pyplot as plt
import mmpretrain
import torch
from mmengine.config import Config
from mmengine.dataset import default_collate
from rich.console import Console
from rich.progress import track
from rich.table import Table
from torch.utils.data import DataLoader

# Find mmcoop beside this folder, for a clone that is not installed
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from mmcoop.registry import DATASETS

ROOT = Path(__file__).resolve().parent.parent
CONFIGS = ROOT / 'configs'
SHOTS = (1, 4, 16)
WRITTEN = 'zero-shot'
SPLITS = {
    'test': 'test',
    'test_fxemoji': 'fxemoji',
    'test_high_contrast': 'high contrast',
    'test_streamline': 'streamline',
}
ROWS, COLUMNS = 3, 6
RIGHT, WRONG = '#1a7f37', '#cf222e'


def main() -> None:
    """Train, evaluate, show."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--work-dir', type=Path, default='work_dirs/demo')
    parser.add_argument('--seed', type=int, default=1, help='of everything')
    parser.add_argument('--max-epochs', type=int, help='fewer, for a trial')
    args = parser.parse_args()

    start = time.monotonic()
    models = {WRITTEN: build_model('zero_shot/tinyclip_emoji.py')}
    for shots in SHOTS:
        config = f'coop/tinyclip_{shots}shot_emoji.py'
        checkpoint = train(config, args.work_dir / f'{shots}shot', args)
        name = f'CoOp, {shots} shot{"s" * (shots > 1)}'
        models[name] = build_model(config, checkpoint)

    predictions, labels = {}, {}
    for split in SPLITS:
        dataset, loader = build_test_data(split)
        labels[split] = torch.from_numpy(dataset.get_gt_labels())
        predictions[split] = predict(models, loader, SPLITS[split])
        if split == 'test':
            picture = args.work_dir / 'prompts.png'
            draw(dataset, predictions[split], labels[split], picture)

    accuracy = {
        name: {
            SPLITS[split]: 100
            * (predictions[split][name] == labels[split]).float().mean().item()
            for split in SPLITS
        }
        for name in models
    }
    results = args.work_dir / 'accuracy.json'
    results.write_text(json.dumps(accuracy, indent=1))
    show(accuracy)
    print(f'{picture} shows test images with the labels of both prompts.')
    print(f'All of it took {time.monotonic() - start:.0f} s.')


def train(config: str, work_dir: Path, args: argparse.Namespace) -> Path:
    """Learn a prompt with tools/train.py.

    Returns:
        Path: The last checkpoint.
    """
    command = [sys.executable, str(ROOT / 'tools' / 'train.py')]
    command += [str(CONFIGS / config), '--work-dir', str(work_dir)]
    command += ['--no-validate', '--cfg-options']
    command += [f'randomness.seed={args.seed}']
    command += [f'train_dataloader.dataset.seed={args.seed}']
    if args.max_epochs is not None:
        command += [f'train_cfg.max_epochs={args.max_epochs}']
    print(f'\n$ python tools/train.py configs/{config}', flush=True)
    subprocess.run(command, check=True)
    return Path((work_dir / 'last_checkpoint').read_text())


def build_model(config: str, checkpoint: Path | None = None):
    """Build a model from a config, with what was learned."""
    return mmpretrain.get_model(
        str(CONFIGS / config),
        pretrained=False if checkpoint is None else str(checkpoint),
    )


def build_test_data(split: str):
    """Build a split's data set, and a loader over it."""
    config = Config.fromfile(CONFIGS / 'zero_shot' / 'tinyclip_emoji.py')
    loader = config.test_dataloader
    dataset = DATASETS.build(dict(loader.dataset, split=split))
    return dataset, DataLoader(
        dataset,
        batch_size=loader.batch_size,
        num_workers=loader.num_workers,
        collate_fn=default_collate,
    )


@torch.no_grad()
def predict(models: dict, loader: DataLoader, name: str) -> dict:
    """Label images with every model.

    The image tower is the same in all: it runs once.

    Returns:
        dict[str, Tensor]: (N, ) labels for each model.
    """
    predictions = {name: [] for name in models}
    backbone = models[WRITTEN].backbone
    preprocess = models[WRITTEN].data_preprocessor
    for batch in track(loader, f'Evaluating on {name}'):
        features = backbone(preprocess(batch)['inputs'])
        for model_name, model in models.items():
            labels = model.head(features).argmax(dim=1)
            predictions[model_name].append(labels)
    return {name: torch.cat(labels) for name, labels in predictions.items()}


def show(accuracy: dict) -> None:
    """Print the table."""
    table = Table(title='Accuracy in %, 40 classes of emoji')
    table.add_column('prompt')
    for split in SPLITS.values():
        table.add_column(split, justify='right')
    for name, values in accuracy.items():
        table.add_row(name, *(f'{value:.1f}' for value in values.values()))
    Console(width=79).print(table)
    print(
        'zero-shot: "a photo of a {}." The columns after the first are '
        'drawing styles\nthat neither CLIP nor the prompts were trained on.'
    )


def draw(dataset, predictions: dict, labels: torch.Tensor, file: Path) -> None:
    """Draw test images with the labels of the written and learned prompt."""
    classes = dataset.metainfo['classes']
    learned = list(predictions)[-1]
    generator = torch.Generator().manual_seed(0)
    chosen = torch.randperm(len(dataset), generator=generator)
    figure, axes = plt.subplots(
        ROWS, COLUMNS, figsize=(2.3 * COLUMNS, 3.0 * ROWS)
    )
    for axis, index in zip(axes.flat, chosen.tolist(), strict=False):
        axis.imshow(plt.imread(dataset.get_data_info(index)['img_path']))
        axis.axis('off')
        for line, name in enumerate((WRITTEN, learned)):
            label = int(predictions[name][index])
            axis.text(
                0.5,
                -0.12 - 0.16 * line,
                shorten(classes[label]),
                color=RIGHT if label == labels[index] else WRONG,
                fontweight='normal' if name == WRITTEN else 'bold',
                ha='center',
                transform=axis.transAxes,
            )
    figure.suptitle(
        f'Label by "a photo of a {{}}." and, in bold, by {learned}. '
        'Green is right. Images chosen at random.'
    )
    figure.tight_layout()
    file.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(file, dpi=90)
    plt.close(figure)


def shorten(name: str, length: int = 24) -> str:
    """Cut a long name."""
    return name if len(name) <= length else name[: length - 1] + '…'


if __name__ == '__main__':
    main()
