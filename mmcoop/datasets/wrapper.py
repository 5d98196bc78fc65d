"""What data sets around other data sets have in common."""

from collections.abc import Sequence
from typing import Any

from mmengine.dataset import Compose


class Wrapper:
    """A data set around another one, whose classes it keeps.

    Attributes:
        dataset (BaseDataset): The wrapped data set.
    """

    dataset: Any

    @property
    def metainfo(self) -> dict:
        """dict: The wrapped data set's, with the class names."""
        return self.dataset.metainfo

    @property
    def CLASSES(self) -> Sequence[str] | None:  # noqa: N802, mmpretrain's name
        """Sequence[str] | None: The class names, if any."""
        return self.metainfo.get('classes')


class PipelineWrapper(Wrapper):
    """A wrapper whose samples are those of the wrapped data set."""

    @property
    def pipeline(self) -> Compose:
        """Compose: The wrapped data set's; mmpretrain's tools set it."""
        return self.dataset.pipeline

    @pipeline.setter
    def pipeline(self, pipeline: Compose) -> None:
        self.dataset.pipeline = pipeline
