"""A classifier as one program, for ``torch.export``."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .fixed_classifier import FixedClassifier
from .verify import Verifier

# The file beside the program within a .pt2
METADATA = 'mmcoop.json'
INPUT = 'images'
OUTPUTS = ('logits', 'scores')


class Program(nn.Module):
    """Images to logits and scores.

    Args:
        fixed (FixedClassifier): Whose tower is shared.
    """

    def __init__(self, fixed: FixedClassifier):
        super().__init__()
        self.tower = fixed.tower
        self.register_buffer('weight', fixed.scale * fixed.text_features)
        self.bias = fixed.bias

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Classify.

        Args:
            images (Tensor): (N, 3, H, W) float32, RGB, normalised.

        Returns:
            tuple[Tensor, Tensor]: (N, K) logits, and the same as
            probabilities.
        """
        (features,) = self.tower(images)
        image_features = F.normalize(features, dim=-1)
        logits = image_features @ self.weight.T + self.bias
        return logits, logits.softmax(dim=-1)


def trace(
    fixed: FixedClassifier, images: Tensor
) -> torch.export.ExportedProgram:
    """Record what a classifier computes, for batches of any size.

    Args:
        fixed (FixedClassifier): What to record.
        images (Tensor): (N, 3, H, W), examples, two or more.

    Returns:
        ExportedProgram: From ``images`` to ``(logits, scores)``.
    """
    # Without an end torch 2.6 finds that there is one.
    batch = torch.export.Dim('batch', max=2**31)
    with _composed_attention():
        return torch.export.export(
            Program(fixed).eval(),
            (images[:2],),
            dynamic_shapes={INPUT: {0: batch}},
        )


@contextmanager
def _composed_attention() -> Iterator[None]:
    """Compute attention by operators that every torch can record.

    torch 2.6 cannot record the one that it has for inference.
    """
    before = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(before)


def write_program(
    fixed: FixedClassifier, verifier: Verifier, path: Path
) -> float:
    """Write a .pt2, and compare what it computes with the original.

    Args:
        fixed (FixedClassifier): What to export.
        verifier (Verifier): What to compare with.
        path (Path): To write.

    Returns:
        float: The largest difference of a score.

    Raises:
        ExportError: If it computes something else.
    """
    program = trace(fixed, verifier.images)
    metadata = {METADATA: json.dumps(fixed.metadata())}
    torch.export.save(program, path, extra_files=metadata)
    module = torch.export.load(path).module()
    return verifier.compare(path.name, lambda images: module(images)[0])
