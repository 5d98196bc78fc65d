"""From a checkpoint to a classifier."""

import os
import pickle
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.dataset import Compose
from mmengine.runner import CheckpointLoader
from mmpretrain.models import ImageClassifier
from mmpretrain.registry import MODELS, TRANSFORMS

from .checkpoint_config import ConfigTextError, check_types, parse_config
from .classifier import Classifier
from .inference_config import model_for_images, test_pipeline

CONVERT = (
    'If it is one of the original CoOp (model.pth.tar-50), convert it: '
    'python tools/convert_checkpoint.py FILE context.pth.'
)


def load(
    checkpoint: str | os.PathLike,
    config: str | os.PathLike | Config | None = None,
    device: str | torch.device | None = None,
) -> Classifier:
    """Load what was learned, ready to classify images.

    The checkpoint of a training brings its config and its class names; the
    data set is not needed. It may come from anyone: nothing in it is run,
    its config is read as data, and only known components are built from it.
    The config says which CLIP is loaded, which may be a folder or file on
    this machine or a download by open_clip, in either case tensors alone.

    Args:
        checkpoint (str | os.PathLike): A file, or the URL of one.
        config (str | os.PathLike | Config, optional): Use this config
            instead of the checkpoint's. A file is run as Python. Defaults to
            None.
        device (str | torch.device, optional): Where to compute. None: on a
            GPU if there is one. Defaults to None.

    Returns:
        Classifier: In eval mode.

    Raises:
        FileNotFoundError: If there is no such file, or the CLIP that it was
            learned with is not there.
        RuntimeError: If the file is damaged.
        pickle.UnpicklingError: If the file could run code.
        ValueError: If it is no checkpoint of a training with mmcoop, has no
            config and none is given, or the two do not fit.
    """
    path = os.fspath(checkpoint)
    content = _read(path)
    meta, state = content.get('meta') or {}, content['state_dict']
    trusted = config is not None
    cfg = _config(config) if trusted else _stored_config(path, meta)
    names = _class_names(meta, state)
    try:
        model = model_for_images(cfg)
        steps = test_pipeline(cfg)
        if not trusted:
            check_types([model, steps])
    except ConfigTextError as error:
        raise ConfigTextError(f'{path}: {error}') from error
    if names is not None and not (trusted and model['head']['class_names']):
        model['head']['class_names'] = names
    scope = cfg.get('default_scope') if trusted else None
    model = _build(path, model, scope or 'mmpretrain')
    _load_state(path, model, state)
    if device is None:
        device = 'cuda' if torch.cuda.is_available() else 'cpu'
    return Classifier(
        model.to(device),
        Compose([TRANSFORMS.build(step) for step in steps]),
        cfg,
        rejection=meta.get('rejection'),
        temperature=(meta.get('calibration') or {}).get('temperature', 1.0),
    )


def _read(path: str) -> dict[str, Any]:
    if os.path.isdir(path):
        raise FileNotFoundError(
            f'{path} is a folder: give the checkpoint in it, like '
            f'{Path(path, "epoch_50.pth")}.'
        )
    try:
        content = CheckpointLoader.load_checkpoint(
            path, map_location='cpu', logger='silent'
        )
    except pickle.UnpicklingError as error:
        raise pickle.UnpicklingError(f'{error} {CONVERT}') from error
    if not isinstance(content, dict) or 'state_dict' not in content:
        raise ValueError(
            f'{path} is no checkpoint of mmcoop: it has no state_dict. '
            f'{CONVERT}'
        )
    return content


def _config(config: str | os.PathLike | Config) -> Config:
    if isinstance(config, Config):
        return config
    return Config.fromfile(config)


def _stored_config(path: str, meta: dict) -> Config:
    if 'cfg' not in meta:
        raise ValueError(
            f'{path} brings no config, so it does not say what model it is '
            'for: pass the one that it was trained with, config=FILE.'
        )
    try:
        return Config(parse_config(meta['cfg']))
    except ConfigTextError as error:
        raise ConfigTextError(f'{path}: {error}') from error


def _class_names(meta: dict, state: dict) -> list[str] | None:
    noted = getattr(state, '_metadata', {}).get('head', {})
    return (
        noted.get('class_names')
        or (meta.get('dataset_meta') or {}).get('classes')
        or None
    )


def _build(path: str, model: dict, scope: str) -> ImageClassifier:
    return MODELS.build(dict(model, _scope_=scope))


def _load_state(path: str, model: ImageClassifier, state: dict) -> None:
    model.load_state_dict(state)
