"""What image features depend on, in a form that can be compared.

An origin is a dict as JSON has it. Equal origins mean equal features.
"""

import hashlib
import json
import os
from collections.abc import Iterable, Iterator
from itertools import chain, zip_longest
from typing import Any

import numpy as np
import torch
from mmengine import fileio
from torch import nn


def fingerprint_weights(module: nn.Module) -> str:
    """Compute a checksum of a module's architecture and weights.

    Args:
        module (nn.Module): A frozen backbone.

    Returns:
        str: SHA-256 over the layers, and over the names, types, shapes and
        values of all tensors.
    """
    # The layers too: an activation has no weights.
    digest = hashlib.sha256(repr(module).encode())
    tensors = chain(module.named_parameters(), module.named_buffers())
    for name, tensor in sorted(tensors, key=lambda item: item[0]):
        digest.update(f'{name} {tensor.dtype} {[*tensor.shape]}'.encode())
        # As bytes, since numpy has no bfloat16
        flat = tensor.detach().cpu().flatten()
        digest.update(flat.view(torch.uint8).numpy().data)
    return digest.hexdigest()


def fingerprint_names(infos: Iterable[dict]) -> str:
    """Compute a checksum of images by what the file system says of them.

    Takes no reading of images. It changes with every image that changes, and
    also when images are only moved or copied.

    Args:
        infos (Iterable[dict]): A data set's entries, in order.

    Returns:
        str: SHA-256 over labels, paths, sizes and times of change.
    """
    digest = hashlib.sha256()
    for info in infos:
        path = info.get('img_path')
        if path is not None and os.path.isfile(path):
            status = os.stat(path)
            what = f'{path} {status.st_size} {status.st_mtime_ns}'
        else:  # in memory, or not in this file system
            what = hashlib.sha256(_image_bytes(info)).hexdigest()
        digest.update(f'{info["gt_label"]} {what}\n'.encode())
    return digest.hexdigest()


def fingerprint_contents(infos: Iterable[dict]) -> str:
    """Compute a checksum of images by their contents.

    Args:
        infos (Iterable[dict]): A data set's entries, in order.

    Returns:
        str: SHA-256 over labels and the bytes of the images.
    """
    digest = hashlib.sha256()
    for info in infos:
        content = hashlib.sha256(_image_bytes(info)).hexdigest()
        digest.update(f'{info["gt_label"]} {content}\n'.encode())
    return digest.hexdigest()


def pipelines_of(dataset: Any) -> list[Any]:
    """Collect the pipelines of a data set and of those that it wraps.

    Args:
        dataset (dict | list): Config of a data set, or of several.

    Returns:
        list: One pipeline, or more, outermost first.
    """
    return list(_pipelines(dataset))


def plain(value: Any) -> Any:
    """Bring a part of a config into the form that JSON gives back.

    Args:
        value (Any): Dicts, lists, tuples and plain values.

    Returns:
        Any: The same with lists for tuples.
    """
    return json.loads(json.dumps(value, default=repr))


def first_difference(kept: Any, now: Any, where: str) -> str | None:
    """Describe where two values of JSON differ first.

    Args:
        kept (Any): One value.
        now (Any): The other.
        where (str): What to call the place.

    Returns:
        str | None: Like ``pipeline[0][1].scale was 64, is 32``.
    """
    if kept == now:
        return None
    if isinstance(kept, dict) and isinstance(now, dict):
        keys = dict.fromkeys([*kept, *now])
        parts = [(f'.{key}', kept.get(key), now.get(key)) for key in keys]
    elif isinstance(kept, list) and isinstance(now, list):
        pairs = enumerate(zip_longest(kept, now))
        parts = [(f'[{index}]', *pair) for index, pair in pairs]
    else:
        return f'{where} was {_short(kept)}, is {_short(now)}'
    found = (first_difference(a, b, where + name) for name, a, b in parts)
    return next(filter(None, found))


def _pipelines(node: Any) -> Iterator[Any]:
    if isinstance(node, dict):
        if 'pipeline' in node:
            yield node['pipeline']
        yield from _pipelines(node.get('dataset'))
        yield from _pipelines(node.get('datasets'))
    elif isinstance(node, list | tuple):
        for item in node:
            yield from _pipelines(item)


def _image_bytes(info: dict) -> bytes:
    if 'img' in info:
        image = np.asarray(info['img'])
        return f'{image.dtype} {image.shape} '.encode() + image.tobytes()
    return fileio.get(info['img_path'])


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + '…'
