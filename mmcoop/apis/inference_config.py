"""What classifying images needs of the config of a training."""

import copy
from collections.abc import Iterator
from typing import Any

from mmengine.config import Config

# Where a pipeline for testing may stand, the first that is there counts
LOADERS = ('test_dataloader', 'val_dataloader')
# Of a head, what only training needs
OF_TRAINING = ('init_cfg', 'loss')


def model_for_images(cfg: Config) -> dict[str, Any]:
    """Take the model out of a config, without what only training needs.

    A model that was trained on kept features gets the tower that they are
    from.

    Args:
        cfg (Config): Of the training.

    Returns:
        dict: For mmpretrain's ``MODELS.build``.

    Raises:
        ValueError: If there is no model with a head that compares images
            with names.
    """
    model = cfg.get('model')
    head = model.get('head') if isinstance(model, dict) else None
    if not isinstance(head, dict) or not isinstance(head.get('clip'), dict):
        raise ValueError(
            'its config has no model with a head of mmcoop (CoOpHead or '
            'ZeroShotHead), so it has no class names to compare images with: '
            "evaluate it with tools/test.py or mmpretrain's inferencers."
        )
    head = {k: v for k, v in head.items() if k not in OF_TRAINING}
    if 'CoOpHead' in str(head.get('type')):
        # Text is encoded once, which compiling would only delay.
        head.update(compile_text=False, text_parallel=False)
    backbone = model.get('backbone') or {}
    preprocessor = dict(model.get('data_preprocessor') or {})
    preprocessor.pop('batch_augments', None)
    if backbone.get('type') == 'mmcoop.GivenFeatures':
        backbone = dict(type='mmcoop.CLIPVision', clip=head['clip'])
    return copy.deepcopy(
        dict(
            type=model.get('type'),
            data_preprocessor=preprocessor,
            backbone=backbone,
            head=head,
        )
    )


def test_pipeline(cfg: Config) -> list[dict[str, Any]]:
    """Find how a config prepares the images of a test.

    Args:
        cfg (Config): Of the training.

    Returns:
        list[dict]: The steps, for mmpretrain's ``TRANSFORMS.build``.

    Raises:
        ValueError: If there are none.
    """
    for name in LOADERS:
        for steps in _pipelines((cfg.get(name) or {}).get('dataset')):
            return [_as_ours(dict(step)) for step in steps]
    raise ValueError(
        'its config does not say how images are prepared: '
        'test_dataloader.dataset has no pipeline.'
    )


def _pipelines(dataset: Any) -> Iterator[list]:
    """Give the pipelines of a data set and of those within it."""
    if isinstance(dataset, list | tuple):
        for item in dataset:
            yield from _pipelines(item)
    if isinstance(dataset, dict):
        if dataset.get('pipeline'):
            yield dataset['pipeline']
        for key in ('dataset', 'datasets'):
            yield from _pipelines(dataset.get(key))


def _as_ours(step: dict) -> dict:
    """Let reading an image pass over one that is in memory."""
    if step.get('type') in (
        'LoadImageFromFile',
        'mmpretrain.LoadImageFromFile',
    ):
        step['type'] = 'mmcoop.LoadImageFromFile'
        step.setdefault('imdecode_backend', 'cv2')
    return step
