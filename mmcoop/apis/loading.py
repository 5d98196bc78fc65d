"""From a checkpoint to a classifier."""

import math
import os
import pickle
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.dataset import Compose
from mmengine.runner import CheckpointLoader
from mmpretrain.models import ImageClassifier
from mmpretrain.registry import MODELS, TRANSFORMS
from torch import Tensor

from mmcoop.evaluation.rejection import check_score

from .checkpoint_config import check_types, parse_config
from .classifier import Classifier
from .inference_config import find_clip, model_for_images, test_pipeline

# What `load` raises where a user has to do something
LOAD_ERRORS = (
    ImportError,
    OSError,
    RuntimeError,
    ValueError,
    pickle.PickleError,
)
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

    A checkpoint of a training brings its config and class names; the data
    set is not needed. It may come from anyone: nothing in it is run, its
    config is read as data, and only known components are built from it. That
    config says which CLIP to load: one of open_clip's, which is downloaded
    if need be, or a folder or file of weights, where a relative path counts
    from where the training was started. Of weights, tensors alone are read.

    Args:
        checkpoint (str | os.PathLike): A file, or the URL of one.
        config (str | os.PathLike | Config, optional): Of the training,
            instead of the one in the checkpoint. A file is run as Python.
            Class names in it count more than the checkpoint's. Defaults to
            None.
        device (str | torch.device, optional): Where to compute. None: on a
            GPU if there is one. Defaults to None.

    Returns:
        Classifier: In eval mode.

    Raises:
        ConnectionError: If the CLIP must be downloaded and cannot be.
        FileNotFoundError: If there is no such file, or no such CLIP.
        RuntimeError: If the file is damaged.
        pickle.UnpicklingError: If the file could run code.
        ValueError: If it is no checkpoint of mmcoop; has no config, and none
            is given; or does not fit the config.
    """
    device = _device(device)
    path = os.fspath(checkpoint)
    meta, state = _read(path)
    with _explained(path):
        cfg = _given(config) if config is not None else _stored(meta)
        scope = cfg.get('default_scope') or 'mmpretrain'
        model, steps = model_for_images(cfg), test_pipeline(cfg)
        names = _learned_names(meta, state)
        if names and (config is None or not model['head'].get('class_names')):
            model['head']['class_names'] = names
        if config is None:
            scope = 'mmpretrain'
            check_types([model, steps])
            find_clip(model, path, cfg.get('work_dir'))
        model = _build(model, scope)
        _load_state(model, state)
        # What was measured holds for the names that it was measured with.
        measured = meta if names == model.head.class_names else {}
        return Classifier(
            model.to(device),
            Compose([TRANSFORMS.build(dict(s, _scope_=scope)) for s in steps]),
            cfg,
            rejection=_rejection(measured.get('rejection')),
            temperature=_temperature(measured.get('calibration')),
        )


@contextmanager
def _explained(path: str) -> Iterator[None]:
    """Name the file in errors, and give those of its content one type."""
    try:
        yield
    # Of the CLIP that it asks for, not of the checkpoint
    except (ImportError, OSError):
        raise
    # A file that is not from mmengine may hold anything, anywhere.
    except Exception as error:
        reason = ' '.join(str(error).split())
        kind = type(error).__name__
        if not isinstance(error, ValueError):
            reason = f'its config describes no model ({kind}: {reason})'
        raise ValueError(f'{path} cannot be used: {reason}') from error


def _device(device: str | torch.device | None) -> torch.device:
    has_gpu = torch.cuda.is_available()
    if device is None:
        return torch.device('cuda' if has_gpu else 'cpu')
    try:
        chosen = torch.device(device)
    except RuntimeError as error:
        raise ValueError(
            f"device is {device!r}: give one of torch's, like 'cpu' or "
            "'cuda:0'."
        ) from error
    if chosen.type == 'cuda' and not has_gpu:
        raise ValueError(
            f'device is {device!r}, but torch finds no GPU here: leave it '
            'out, or install a torch for this GPU.'
        )
    return chosen


def _read(path: str) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Read a checkpoint's ``meta`` and ``state_dict``."""
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
    except FileNotFoundError:
        raise
    except OSError as error:  # torch's, of most files that are cut short
        raise RuntimeError(
            f'The checkpoint {path} cannot be read ({error.strerror}): it is '
            'damaged or cut short, or may not be read. Copy it again.'
        ) from error
    content = content if isinstance(content, dict) else {}
    state, meta = content.get('state_dict'), content.get('meta', {})
    if not isinstance(state, dict) or not isinstance(meta, dict):
        raise ValueError(
            f'{path} is no checkpoint of a training with mmcoop: it has no '
            f'state_dict. {CONVERT}'
        )
    if 'ctx' in state:
        raise ValueError(f'{path} has no context of mmcoop. {CONVERT}')
    return meta, state


def _given(config: str | os.PathLike | Config) -> Config:
    if isinstance(config, Config):
        return config
    if not os.path.isfile(config):
        raise FileNotFoundError(
            f'There is no config {os.path.abspath(config)}: correct the '
            "path, or leave config out to use the checkpoint's own."
        )
    return Config.fromfile(config)


def _stored(meta: dict) -> Config:
    if 'cfg' not in meta:
        raise ValueError(
            'it brings no config, so it does not say what model it is for: '
            'pass the one that it was trained with, config=FILE.'
        )
    return Config(parse_config(meta['cfg']))


def _learned_names(meta: dict, state: dict) -> tuple[str, ...]:
    """The names that were learned with, as far as they are known."""
    noted = getattr(state, '_metadata', {}).get('head', {}).get('class_names')
    return tuple(noted or meta.get('dataset_meta', {}).get('classes') or ())


def _build(model: dict, scope: str) -> ImageClassifier:
    if not model['head'].get('class_names'):
        raise ValueError(
            'neither it nor its config has class names: pass a config with '
            'class_names in the head, a list or a text file, config=FILE.'
        )
    return MODELS.build(dict(model, _scope_=scope))


def _load_state(model: ImageClassifier, state: dict) -> None:
    wanted = model.state_dict()
    if set(state) != set(wanted):
        found = ', '.join(map(str, list(state)[:3])) or 'nothing'
        raise ValueError(
            f'it holds {found}{", …" * (len(state) > 3)}, but its config '
            f'describes a model that learns {", ".join(wanted) or "nothing"}.'
        )
    for name, tensor in state.items():
        if not isinstance(tensor, Tensor) or not tensor.isfinite().all():
            raise ValueError(
                f'{name} is not made of finite numbers: if the training went '
                'astray, take an earlier checkpoint or a lower learning rate.'
            )
    model.load_state_dict(state)


def _rejection(stored: dict[str, Any] | None) -> dict[str, Any] | None:
    if stored is None:
        return None
    check_score(stored['score'], stored['temperature'])
    if not math.isfinite(stored['threshold']):
        raise ValueError(
            f"the threshold for 'none of these' is {stored['threshold']}: "
            'measure it again with tools/calibrate.py.'
        )
    return dict(stored)


def _temperature(stored: dict[str, Any] | None) -> float:
    temperature = 1.0 if stored is None else stored['temperature']
    if not 0 < temperature < math.inf:
        raise ValueError(
            f'the temperature of its calibration is {temperature}: measure '
            'it again with tools/calibrate.py.'
        )
    return temperature
