"""What happens around training: checkpoints, processes, the command line.

Importing it makes mmengine read checkpoints without running code from them.
"""

from .forward_only import ForwardOnly
from .launch import prepare_launch
from .run_config import CommandError, read_config
from .safe_checkpoint import load_from_http, load_from_local

__all__ = [
    'CommandError',
    'ForwardOnly',
    'load_from_http',
    'load_from_local',
    'prepare_launch',
    'read_config',
]
