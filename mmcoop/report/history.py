"""What a report needs to know of the epochs before a run was resumed."""

import time
from typing import Any

import numpy as np
import torch
from mmengine.logging import MessageHub
from torch import Tensor

# In the message hub, whose content mmengine puts into every checkpoint
KEY = 'run_report'


class RunHistory:
    """Norms of the context, evaluations and the time, as plain values.

    Losses and learning rates are in the message hub anyway.

    Args:
        message_hub (MessageHub): Of the run, after resuming.
    """

    def __init__(self, message_hub: MessageHub) -> None:
        self._hub = message_hub
        kept: dict[str, Any] = message_hub.get_info(KEY, None) or {}
        # Iterations, and the norms after each of them, (len(steps), M)
        self.steps: list[int] = list(kept.get('steps', []))
        self.norms: Tensor = kept.get('norms', torch.empty(0, 0)).cpu()
        # [iteration, accuracy from 0 to 100]
        self.evaluations: list[list] = list(kept.get('evaluations', []))
        self._seconds: float = kept.get('seconds', 0.0)
        self._since = time.monotonic()

    @property
    def seconds(self) -> float:
        """How long the run has taken, over all its sessions."""
        return self._seconds + time.monotonic() - self._since

    def note_norms(self, step: int, ctx: Tensor) -> None:
        """Keep the norms of the context vectors.

        Args:
            step (int): Iterations so far.
            ctx (Tensor): (M, D), or (K, M, D) if class-specific: then the
                mean over classes is kept.
        """
        if self.steps and self.steps[-1] == step:
            return
        norms = ctx.detach().float().norm(dim=-1)
        norms = norms.reshape(-1, norms.shape[-1]).mean(dim=0).cpu()[None]
        known = self.norms if self.steps else norms[:0]
        self.norms = torch.cat([known, norms])
        self.steps.append(step)
        self._save()

    def note_accuracy(self, step: int, accuracy: float) -> None:
        """Keep the result of an evaluation.

        Args:
            step (int): Iterations so far.
            accuracy (float): 0 to 100.
        """
        self.evaluations.append([step, accuracy])
        self._save()

    def scalars(self, key: str) -> np.ndarray:
        """Get what mmengine has noted at every iteration.

        Args:
            key (str): Like 'train/loss'.

        Returns:
            np.ndarray: One number per iteration; none if it was not noted.
        """
        if key not in self._hub.log_scalars:
            return np.empty(0)
        return np.asarray(self._hub.get_scalar(key).data[0], dtype=float)

    def _save(self) -> None:
        kept = dict(
            steps=self.steps,
            norms=self.norms,
            evaluations=self.evaluations,
            seconds=self.seconds,
        )
        self._hub.update_info(KEY, kept)
