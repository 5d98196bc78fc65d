"""A run of milliseconds per iteration: a CLIP of random weights, and features.

Everything else is real: the runner, and the hooks of
``configs/_base_/default_runtime.py``. As `tiny_run`, it can be imported by
tests, and by the config that `write_config` writes.
"""

import json
from pathlib import Path
from typing import Any

import open_clip
import torch
from mmpretrain.structures import DataSample
from torch.utils.data import Dataset

from mmcoop.registry import DATASETS

RUNTIME = Path(__file__).parents[1] / 'configs/_base_/default_runtime.py'
NAMES = ['dog', 'hot dog', 'tench', 'black-footed albatross', 'a', 'cat', 'ox']
CLIP = dict(
    embed_dim=16,
    vision_cfg=dict(
        image_size=16, layers=1, width=16, patch_size=8, head_width=8
    ),
    text_cfg=dict(
        context_length=77, vocab_size=49408, width=32, heads=2, layers=2
    ),
)
CONFIG = """
_base_ = {runtime!r}
custom_imports = dict(
    imports=['mmcoop', 'tiny_run'], allow_failed_imports=False)
model = dict(
    type='ImageClassifier',
    backbone=dict(type='mmcoop.GivenFeatures'),
    head=dict(
        type='mmcoop.CoOpHead', clip=dict(name='local-dir:{clip}'),
        class_names={names!r}, prompt_learner=dict(num_context=4)))
train_dataloader = dict(
    batch_size=12, num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=True),
    batch_sampler=dict(type='mmcoop.FullBatchSampler'),
    dataset=dict(type='mmcoop.RandomFeatures', num_images=48))
val_dataloader = dict(
    batch_size=4, num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(type='mmcoop.RandomFeatures', num_images=17, seed=1))
val_evaluator = dict(type='Accuracy')
train_cfg = dict(by_epoch=True, max_epochs=2)
val_cfg = dict()
optim_wrapper = dict(optimizer=dict(type='SGD', lr=0.02, momentum=0.9))
param_scheduler = [dict(type='CosineAnnealingLR', T_max=8, by_epoch=True)]
randomness = dict(seed=3)
"""


@DATASETS.register_module()
class RandomFeatures(Dataset):
    """Features that depend on the seed and their number alone.

    Args:
        num_images (int): How many.
        seed (int): Of features and labels.
        spoiled (int, optional): The number of one that is NaN.
    """

    def __init__(
        self, num_images: int, seed: int = 0, spoiled: int | None = None
    ) -> None:
        generator = torch.Generator().manual_seed(seed)
        self.features = torch.randn(num_images, 16, generator=generator)
        self.labels = torch.randint(
            len(NAMES), (num_images,), generator=generator
        )
        if spoiled is not None:
            self.features[spoiled] = float('nan')
        self.metainfo = dict(classes=NAMES)

    def __len__(self) -> int:
        return len(self.features)

    def __getitem__(self, index: int) -> dict[str, Any]:
        index = int(index)
        sample = DataSample().set_gt_label(self.labels[index])
        sample.set_metainfo(dict(img_path=f'{index}.png'))
        return dict(inputs=self.features[index], data_samples=sample)


def write_clip(folder: Path) -> Path:
    """Make a CLIP with random weights, always the same."""
    folder.mkdir(parents=True, exist_ok=True)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = open_clip.CLIP(**CLIP)
    torch.save(model.state_dict(), folder / 'open_clip_pytorch_model.bin')
    (folder / 'open_clip_config.json').write_text(
        json.dumps(dict(model_cfg=CLIP, preprocess_cfg={}))
    )
    return folder


def write_config(folder: Path, more: str = '') -> Path:
    """Write the config of a run, with its CLIP beside it.

    Args:
        folder (Path): Where to.
        more (str): Added to the text of the config.

    Returns:
        Path: Of the config.
    """
    clip = folder / 'clip'
    if not clip.is_dir():
        write_clip(clip)
    config = folder / 'config.py'
    config.write_text(
        CONFIG.format(runtime=str(RUNTIME), clip=clip, names=NAMES) + more
    )
    return config
