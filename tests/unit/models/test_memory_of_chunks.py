"""Chunks bound what is kept for the backward pass, counted in bytes.

The process's memory would depend on the allocator; what autograd saves does
not.
"""

from weakref import WeakSet, finalize

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from mmcoop.models.clip import IMAGENET_CLASS_NAMES
from mmcoop.models.coop_head import CoOpHead

E = 16  # Of the `clip` fixture
CHUNK = 8


def names(count):
    return [f'{IMAGENET_CLASS_NAMES[i % 100]} {i}' for i in range(count)]


def kept_bytes(clip, num_classes, chunk_size, class_specific=False):
    """What autograd holds between forward and backward, without weights."""
    head = CoOpHead(
        clip,
        names(num_classes),
        dict(num_context=4, class_specific=class_specific),
        text_chunk_size=chunk_size,
    ).train()
    there = {
        tensor.untyped_storage().data_ptr()
        for tensor in (*head.buffers(), *head.parameters())
    }
    kept = {}

    def keep(tensor):
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in there:
            # Held here too, so that no address is used twice.
            kept[storage.data_ptr()] = storage
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda kept: kept):
        head.text_features.sum()
    return sum(storage.nbytes() for storage in kept.values())


@pytest.mark.parametrize('class_specific', [False, True])
def test_memory_grows_by_the_features_alone(clip, class_specific):
    few, many = (
        kept_bytes(clip, count, CHUNK, class_specific) for count in (40, 400)
    )
    # float32 features, before and after normalisation, and their lengths
    of_class = 4 * (2 * E + 2)
    assert 0 < many - few <= 360 * of_class


def test_all_at_once_keeps_every_layer(clip):
    """What the test above would see if chunks did not bound anything."""
    few, many = (kept_bytes(clip, count, None) for count in (40, 400))
    assert many - few > 360 * 4 * 100 * E


class PeakBytes(TorchDispatchMode):
    """Adds up the tensors that are alive, and notes the most there were.

    Attributes:
        peak (int): Their bytes.
        most (int): Their number.
    """

    def __init__(self):
        super().__init__()
        self.alive = self.peak = self.count = self.most = 0
        self.seen = WeakSet()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        for tensor in tree_leaves((args, result)):
            if isinstance(tensor, torch.Tensor):
                self.note(tensor.untyped_storage())
        return result

    def note(self, storage):
        if storage not in self.seen:
            self.seen.add(storage)
            self.alive += storage.nbytes()
            self.count += 1
            self.peak = max(self.peak, self.alive)
            self.most = max(self.most, self.count)
            finalize(storage, self.drop, storage.nbytes())

    def drop(self, nbytes):
        self.alive -= nbytes
        self.count -= 1


def watched_step(clip, num_classes, chunk_size, class_specific=False):
    """What forward and backward hold, what was there before left out."""
    head = CoOpHead(
        clip,
        names(num_classes),
        dict(num_context=4, class_specific=class_specific),
        text_chunk_size=chunk_size,
    ).train()
    with PeakBytes() as counted:
        for tensor in (*head.buffers(), *head.parameters()):
            counted.seen.add(tensor.untyped_storage())
        head.text_features.sum().backward()
    return counted


def test_the_backward_pass_holds_one_chunk(clip):
    few, many = (watched_step(clip, K, CHUNK).peak for K in (40, 400))
    # Features and their gradient, before and after normalisation
    assert 0 < many - few <= 360 * 4 * 4 * E
    assert watched_step(clip, 400, None).peak > 5 * many


@pytest.mark.parametrize('class_specific', [False, True])
def test_chunks_leave_nothing_of_their_own(clip, class_specific):
    """Pieces left between freed blocks would keep them from being joined."""
    few, many = (
        watched_step(clip, count, CHUNK, class_specific).most
        for count in (40, 400)
    )
    assert few == many
