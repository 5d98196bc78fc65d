"""The images that a context was learned from, and which are alike."""

from typing import NamedTuple

from PIL import Image, ImageOps
from torch import Tensor

from mmcoop.apis import Classifier
from mmcoop.apis.held_out import learned_images

# Of the longer side of a picture
PIXELS = 256


class Neighbour(NamedTuple):
    """A training image that is like another image.

    Attributes:
        path (str): Where it is.
        name (str): The class that it was learned as.
        cosine (float): Its image features' similarity, -1 to 1.
    """

    path: str
    name: str
    cosine: float

    def picture(self) -> Image.Image:
        """Read the image, small enough for a page."""
        with Image.open(self.path) as image:
            image.draft('RGB', (PIXELS, PIXELS))
            image.thumbnail((PIXELS, PIXELS))
            return ImageOps.exif_transpose(image).convert('RGB')


class TrainingImages:
    """The images that a classifier's context was learned from.

    Args:
        classifier (Classifier): What was learned; its config says from what.
        trusted (bool): Whether that config is the user's own, not one that
            came with the checkpoint.
        limit (int): How many images to look at, evenly taken from all.

    Attributes:
        total (int): How many were learned from.
        features (Tensor): (N, E) float32, L2-normalised, on the CPU.

    Raises:
        OSError: If the images are not there.
        ValueError: If the config does not list them, or one cannot be read.
    """

    def __init__(
        self, classifier: Classifier, trusted: bool, limit: int
    ) -> None:
        paths, labels = learned_images(classifier.cfg, trusted)
        self.total = len(paths)
        step = -(-self.total // limit)
        self._paths, self._labels = paths[::step], labels[::step]
        self._names = classifier.class_names
        self.features: Tensor = classifier.image_features(self._paths).cpu()

    def __len__(self) -> int:
        return len(self._paths)

    def nearest(self, image_features: Tensor, count: int) -> list[Neighbour]:
        """Find the images that are most alike.

        Args:
            image_features (Tensor): (1, E), L2-normalised.
            count (int): How many to give.

        Returns:
            list[Neighbour]: The most similar first.
        """
        cosines = (image_features @ self.features.T)[0]
        found = cosines.topk(min(count, len(self)))
        return [
            Neighbour(
                self._paths[index], self._names[self._labels[index]], cosine
            )
            for cosine, index in zip(
                found.values.tolist(), found.indices.tolist(), strict=True
            )
        ]
