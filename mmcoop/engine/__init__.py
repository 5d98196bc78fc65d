"""What happens around training: checkpoints, processes, the command line.

Importing it makes mmengine read checkpoints without running code from them.
"""

from .checkpoint_hook import CheckpointHook
from .finite_loss import CheckInvalidLossHook
from .forward_only import ForwardOnly
from .history_length import HistoryLengthHook
from .iteration_seed import IterationSeedHook
from .launch import prepare_launch
from .run_config import CommandError, read_config
from .safe_checkpoint import load_from_http, load_from_local
from .stop_signals import StopSignalHook

__all__ = [
    'CheckInvalidLossHook',
    'CheckpointHook',
    'CommandError',
    'ForwardOnly',
    'HistoryLengthHook',
    'IterationSeedHook',
    'StopSignalHook',
    'load_from_http',
    'load_from_local',
    'prepare_launch',
    'read_config',
]
