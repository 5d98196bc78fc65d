"""What classifying images needs of the config of a training."""

import copy
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mmengine.config import Config

# Where the steps of a test stand; the first that has some counts.
LOADERS = ('test_dataloader', 'val_dataloader')
# What only training needs
OF_TRAINING = (
    'batch_augments',
    'init_cfg',
    'loss',
    'pretrained',
    'train_cfg',
)
LOCAL_DIR = 'local-dir:'


def model_for_images(cfg: Config) -> dict[str, Any]:
    """Take the model out of a config, without what only training needs.

    A model that was trained on kept features gets the image tower that they
    come from.

    Args:
        cfg (Config): Of the training.

    Returns:
        dict: For mmpretrain's ``MODELS.build``.

    Raises:
        ValueError: If it has no head of mmcoop.
    """
    model = cfg.get('model')
    head = model.get('head') if isinstance(model, dict) else None
    if not isinstance(head, dict) or not isinstance(head.get('clip'), dict):
        raise ValueError(
            'its config has no model with a head of mmcoop (CoOpHead or '
            'ZeroShotHead): evaluate it with tools/test.py or the '
            'inferencers of mmpretrain.'
        )
    model = _without_training(model)
    model['head'] = _without_training(head)
    model['data_preprocessor'] = _without_training(
        model.get('data_preprocessor') or {}
    )
    backbone = model.get('backbone') or {}
    if backbone.get('type') == 'mmcoop.GivenFeatures':
        model['backbone'] = dict(type='mmcoop.CLIPVision', clip=head['clip'])
        model['data_preprocessor'] = _preprocessor_of_kept_features(cfg)
    if head.get('type') == 'mmcoop.CoOpHead':
        # Text is encoded once: compiling would only delay that.
        model['head'].update(compile_text=False, text_parallel=False)
    return copy.deepcopy(model)


def test_pipeline(cfg: Config) -> list[dict[str, Any]]:
    """Find how a config prepares images for a test.

    Args:
        cfg (Config): Of the training.

    Returns:
        list[dict]: The steps, for mmpretrain's ``TRANSFORMS.build``.

    Raises:
        ValueError: If there are none.
    """
    for dataset in _test_datasets(cfg):
        if dataset.get('pipeline'):
            return [_as_ours(dict(step)) for step in dataset['pipeline']]
    raise ValueError(
        'its config does not say how images are prepared: '
        'test_dataloader.dataset has no pipeline.'
    )


def find_clip(model: dict, checkpoint: str, work_dir: str | None) -> None:
    """Let a relative path of a CLIP count from where training was started.

    That is known where the checkpoint still lies in its work directory.

    Args:
        model (dict): From :func:`model_for_images`; changed in place.
        checkpoint (str): Its path.
        work_dir (str, optional): As the training's config has it.
    """
    folder = Path(checkpoint).absolute().parent
    inner = Path(work_dir or '')
    if folder.parts[-len(inner.parts) :] != inner.parts:
        return
    start = Path(*folder.parts[: -len(inner.parts)])
    for clip in (model['backbone'].get('clip'), model['head']['clip']):
        name, file = clip['name'], clip.get('pretrained')
        inside = start / os.path.expanduser(name.removeprefix(LOCAL_DIR))
        if name.startswith(LOCAL_DIR) and inside.is_dir():
            clip['name'] = f'{LOCAL_DIR}{inside}'
        if file and (start / os.path.expanduser(file)).is_file():
            clip['pretrained'] = str(start / os.path.expanduser(file))


def _without_training(part: dict) -> dict:
    return {k: v for k, v in part.items() if k not in OF_TRAINING}


def _preprocessor_of_kept_features(cfg: Config) -> dict:
    for dataset in _test_datasets(cfg):
        if 'image_model' in dataset:
            return dict(dataset['image_model']['data_preprocessor'])
    raise ValueError(
        'its config is for kept features and does not say what images they '
        'come from: test_dataloader.dataset has no image_model.'
    )


def _test_datasets(cfg: Config) -> Iterator[dict]:
    for name in LOADERS:
        yield from _datasets((cfg.get(name) or {}).get('dataset'))


def _datasets(dataset: Any) -> Iterator[dict]:
    """Give a data set's config and those of the ones within it."""
    if isinstance(dataset, list | tuple):
        for item in dataset:
            yield from _datasets(item)
    if isinstance(dataset, dict):
        yield dataset
        for key in ('dataset', 'datasets'):
            yield from _datasets(dataset.get(key))


def _as_ours(step: dict) -> dict:
    """Let the step that reads a file pass over an image in memory."""
    kind = step.get('type')
    if kind in ('LoadImageFromFile', 'mmpretrain.LoadImageFromFile'):
        step['type'] = 'mmcoop.LoadImageFromFile'
        step.setdefault('imdecode_backend', 'cv2')
    return step
