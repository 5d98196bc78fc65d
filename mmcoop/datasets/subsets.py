"""Subsets of a data set that have nothing of other data sets."""

from typing import Any

from mmpretrain.datasets import BaseDataset


class CopiedSubsets(BaseDataset):
    """A data set whose subsets are copies of it alone.

    mmengine 0.10.7 keeps one memo of copied objects, by their addresses, for
    all subsets that a process ever makes, as mmpretrain's ``KFoldDataset``
    does. A transform that comes to lie where an object of a former data set
    was is not copied: the former object takes its place.
    """

    def _copy_without_annotation(
        self, memo: dict[int, Any] | None = None
    ) -> 'CopiedSubsets':
        return super()._copy_without_annotation({} if memo is None else memo)
