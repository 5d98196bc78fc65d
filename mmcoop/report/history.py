"""What a report needs to know of the epochs before a run was resumed."""

import time
from typing import Any

import torch
from mmengine.logging import MessageHub
from torch import Tensor

# In the message hub, whose content mmengine puts into every checkpoint
KEY = 'run_report'
# What mmengine notes at every iteration, of which runs may forget the start
SCALARS = ('train/loss', 'train/lr', 'train/accuracy_top-1')


class RunHistory:
    """Curves, norms of the context, evaluations and the time.

    All of it are plain values, and few: they are in every checkpoint.

    Args:
        message_hub (MessageHub): Of the run, after resuming.
        every (int): Of so many iterations, curves keep the mean; norms and
            evaluations are kept no closer.
    """

    def __init__(self, message_hub: MessageHub, every: int = 1) -> None:
        self._hub = message_hub
        self.every = every
        kept: dict[str, Any] = message_hub.get_info(KEY, None) or {}
        nothing = torch.empty(0, 1 + len(SCALARS))
        # Columns: iteration, SCALARS. What is not noted is NaN.
        self.curves: Tensor = kept.get('curves', nothing).cpu()
        # Iterations, and the norms after each of them, (len(steps), M)
        self.steps: list[int] = list(kept.get('steps', []))
        self.norms: Tensor = kept.get('norms', torch.empty(0, 0)).cpu()
        # [iteration, accuracy from 0 to 100]
        self.evaluations: list[list] = list(kept.get('evaluations', []))
        self._seconds: float = kept.get('seconds', 0.0)
        self._since = time.monotonic()
        # Of the iterations since the last row of the curves
        self._recent: list[list[float]] = []

    @property
    def seconds(self) -> float:
        """How long the run has taken, over all its sessions."""
        return self._seconds + time.monotonic() - self._since

    def note_iteration(self, step: int) -> None:
        """Keep what mmengine has noted of an iteration.

        Args:
            step (int): Iterations so far.
        """
        scalars = self._hub.log_scalars
        self._recent.append(
            [
                float(scalars[key].current()) if key in scalars else torch.nan
                for key in SCALARS
            ]
        )
        if len(self._recent) < self.every:
            return
        means = torch.tensor(self._recent).mean(dim=0).tolist()
        self._recent = []
        row = torch.tensor([[float(step), *means]])
        self.curves = torch.cat([self.curves, row])
        self._save()

    def note_norms(self, step: int, ctx: Tensor) -> None:
        """Keep the norms of the context vectors.

        Args:
            step (int): Iterations so far.
            ctx (Tensor): (M, D), or (K, M, D) if class-specific: then the
                mean over classes is kept.
        """
        if self.steps and step - self.steps[-1] < self.every:
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
        # The last one stays; of those before, as many as a curve shows.
        earlier = [kept for kept, _ in self.evaluations]
        if earlier[-1:] == [step] or (
            len(earlier) > 1 and step - earlier[-2] < self.every
        ):
            self.evaluations.pop()
        self.evaluations.append([step, accuracy])
        self._save()

    def _save(self) -> None:
        kept = dict(
            curves=self.curves,
            steps=self.steps,
            norms=self.norms,
            evaluations=self.evaluations,
            seconds=self.seconds,
        )
        self._hub.update_info(KEY, kept)
