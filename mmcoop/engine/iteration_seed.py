"""What is random in an iteration: a matter of (seed, iteration) alone."""

import random
from typing import Any

import numpy as np
import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmcoop.registry import HOOKS


@HOOKS.register_module()
class IterationSeedHook(Hook):
    """Seed all global generators before each iteration.

    So a run that goes on draws as one that was never interrupted, without
    their states in its checkpoints, which hold those of one process alone.
    Neither do data loaders make a difference, which draw a number whenever
    they start their workers.

    The seed is that of mmengine, which is another one on each rank where
    ``randomness`` has ``diff_rank_seed=True``.
    """

    # Before anything that may draw
    priority = 'HIGHEST'

    def before_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None
    ) -> None:
        """Seed a step of training."""
        _seed_all(runner.seed, runner.iter)

    def before_val_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None
    ) -> None:
        """Seed a step of an evaluation."""
        _seed_all(runner.seed, runner.iter, batch_idx)


def _seed_all(*numbers: int) -> None:
    seeds = np.random.SeedSequence(numbers).generate_state(3)
    random.seed(int(seeds[0]))
    np.random.seed(seeds[1])
    # Of the CPU and of all accelerators
    torch.manual_seed(int(seeds[2]))
