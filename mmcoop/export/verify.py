"""Compare what was written with what it was made from, on real images."""

import zipfile
from collections.abc import Callable
from functools import cached_property
from io import BytesIO

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from mmcoop.apis import Classifier
from mmcoop.datasets.emoji import ARCHIVE

NUM_IMAGES = 16
# Of a score, in 0..1, and of a cosine similarity
TOLERANCE = 1e-4


class ExportError(RuntimeError):
    """What was written does not compute what PyTorch does."""


class Verifier:
    """Images, and what PyTorch makes of them.

    The images come with mmcoop, so that they are there wherever it is; the
    classifier's own pipeline prepares them.

    Args:
        classifier (Classifier): What is exported.
    """

    def __init__(self, classifier: Classifier):
        self.classifier = classifier

    @cached_property
    def images(self) -> Tensor:
        """(N, 3, H, W) float32, RGB, normalised."""
        samples = [self.classifier.pipeline(img) for img in _emoji()]
        preprocess = self.classifier.model.data_preprocessor
        batch = dict(inputs=[sample['inputs'] for sample in samples])
        return preprocess(batch)['inputs'].float().cpu()

    @cached_property
    def logits(self) -> Tensor:
        """(N, K) float32, of the classifier that is exported."""
        images = self.images.to(self.classifier.device)
        with torch.no_grad():
            logits = self.classifier.model(images)
        return logits.float().cpu() / self.classifier.temperature

    def compare(self, what: str, compute: Callable[[Tensor], Tensor]) -> float:
        """Compare another way to logits with PyTorch's.

        One image alone comes first, then all at once: batches of any size
        must do.

        Args:
            what (str): What computes, for the error.
            compute (Callable): (N, 3, H, W) images to (N, K) logits.

        Returns:
            float: The largest difference of a score, in 0..1.

        Raises:
            ExportError: If scores or cosine similarities differ by more
                than 1e-4, or a label differs.
        """
        with torch.no_grad():
            found = torch.cat(
                [compute(self.images[:1]), compute(self.images[1:])]
            )
        if found.shape != self.logits.shape:
            raise ExportError(
                f'{what} gives logits of shape {tuple(found.shape)}, not '
                f'{tuple(self.logits.shape)}: nothing was written.'
            )
        scale = self.classifier.model.head.text_encoder.logit_scale.exp()
        scale = scale.item() / self.classifier.temperature
        cosines = (found - self.logits).abs().max().item() / scale
        scores, expected = found.softmax(-1), self.logits.softmax(-1)
        difference = (scores - expected).abs().max().item()
        # Of scores that differ by rounding alone, either may be the best.
        best = expected.gather(1, scores.argmax(1, keepdim=True))
        behind = (expected.amax(1, keepdim=True) - best).max()
        if not max(difference, cosines, behind.item()) < TOLERANCE:
            raise ExportError(
                f'{what} differs from PyTorch on {NUM_IMAGES} images: by '
                f'{difference:.1e} in a score and {cosines:.1e} in a cosine '
                f'similarity, where {TOLERANCE:.0e} is allowed. Nothing was '
                'written.'
            )
        return difference


def _emoji() -> list[dict]:
    """Read images of many classes, as a pipeline takes them."""
    with zipfile.ZipFile(ARCHIVE) as archive:
        names = sorted(n for n in archive.namelist() if n.endswith('.png'))
        chosen = names[:: len(names) // NUM_IMAGES][:NUM_IMAGES]
        images = [Image.open(BytesIO(archive.read(n))) for n in chosen]
    arrays = [np.asarray(image.convert('RGB'))[..., ::-1] for image in images]
    return [
        dict(img=array, img_shape=array.shape[:2], ori_shape=array.shape[:2])
        for array in arrays
    ]
