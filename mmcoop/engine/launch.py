"""Several processes, with accelerators or without."""

import os

import torch
from mmengine.config import Config
from mmengine.device import get_device
from mmengine.dist import is_main_process
from mmengine.logging import print_log
from torch import distributed

from .run_config import CommandError


def prepare_launch(cfg: Config, launcher: str, *, learns: bool) -> None:
    """Set up how the processes of one run talk to each other.

    With accelerators this is mmengine's business. Without, mmengine still
    asks for a CUDA device: here the processes are joined before it does.

    Args:
        cfg (Config): Changed in place: ``launcher``, ``model_wrapper_cfg``.
        launcher (str): 'none', 'pytorch', 'slurm' or 'mpi'.
        learns (bool): Whether gradients are exchanged.

    Raises:
        CommandError: If there is no accelerator and the launcher needs one.
    """
    cfg.launcher = launcher
    if launcher == 'none':
        return
    on_cpu = get_device() == 'cpu'
    if on_cpu:
        _join_on_cpu(launcher)
    if not learns:
        cfg.model_wrapper_cfg = dict(type='ForwardOnly')
    elif on_cpu:
        wrapper = dict(
            type='MMDistributedDataParallel',
            broadcast_buffers=False,
            find_unused_parameters=cfg.get('find_unused_parameters', False),
        )
        wrapper.update(cfg.get('model_wrapper_cfg') or {})
        # The wrapper would otherwise ask for the CUDA device of its rank
        cfg.model_wrapper_cfg = dict(wrapper, device_ids=None)


def leave_group() -> None:
    """Take this process out of the others' group, at the end of a run.

    Where there is none, nothing happens. Without this the threads that talk
    to the others go on while Python ends, and may abort a process whose work
    is done (https://github.com/pytorch/pytorch/issues/190489).
    """
    if distributed.is_initialized():
        distributed.destroy_process_group()


def _join_on_cpu(launcher: str) -> None:
    """Make the process group that mmengine then finds."""
    if launcher != 'pytorch':
        raise CommandError(
            f'--launcher {launcher} needs a GPU for each process, but torch '
            'finds none here. On CPUs use --launcher pytorch, as '
            'tools/dist_train.sh and tools/dist_test.sh do.'
        )
    missing = [
        name for name in ('RANK', 'WORLD_SIZE') if name not in os.environ
    ]
    if missing:
        raise CommandError(
            f'--launcher pytorch expects {" and ".join(missing)} in the '
            'environment, where torchrun puts them: start the run with '
            'tools/dist_train.sh or tools/dist_test.sh.'
        )
    if not distributed.is_initialized():
        distributed.init_process_group(backend='gloo')
    if is_main_process():
        print_log(
            f'No accelerator: {distributed.get_world_size()} processes on '
            f'the CPU talk over gloo, {torch.get_num_threads()} threads each.',
            logger='current',
        )
