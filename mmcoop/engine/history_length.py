"""How much of its log's history a run carries with it."""

from typing import Any

from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmcoop.registry import HOOKS


@HOOKS.register_module()
class HistoryLengthHook(Hook):
    """Forget old values of the log, which the log files keep.

    mmengine keeps a million values of each: with every iteration a
    checkpoint grows by 64 bytes and more, past all that was learned, and
    each value is added by copying those before it.

    Args:
        max_length (int): How many values of each to keep; the log's averages
            reach back no further. Defaults to 1000.

    Raises:
        ValueError: If that is less than 1.
    """

    def __init__(self, max_length: int = 1000) -> None:
        if max_length < 1:
            raise ValueError(
                f'max_length is {max_length}: give the number of values of '
                'the log to keep, like 1000.'
            )
        self.max_length = max_length

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Any = None,
        outputs: dict | None = None,
    ) -> None:
        """Bound the histories, among them those that are new."""
        for history in runner.message_hub.log_scalars.values():
            history.max_length = self.max_length
