"""What happens around training: checkpoints, processes, the command line.

Importing it makes mmengine read checkpoints without running code from them.
"""

from .finite_loss import CheckInvalidLossHook
from .forward_only import ForwardOnly
from .history_length import HistoryLengthHook
from .launch import prepare_launch
from .run_config import CommandError, read_config
from .safe_checkpoint import load_from_http, load_from_local

__all__ = [
    'CheckInvalidLossHook',
    'CommandError',
    'ForwardOnly',
    'HistoryLengthHook',
    'load_from_http',
    'load_from_local',
    'prepare_launch',
    'read_config',
]
