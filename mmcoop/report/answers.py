"""What the learned and the hand-written prompt answer, image by image."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from mmcoop.models.zero_shot_head import HAND_WRITTEN, encode_written


class Answer(NamedTuple):
    """The answers about one image: all that is kept of it."""

    # What it shows
    label: int
    # What the learned prompt takes it for, with a probability of 0 to 1
    learned: int
    confidence: float
    # The same of the hand-written prompt; None if it was not asked
    written: int | None = None
    written_confidence: float | None = None
    # Where it is; None if the data does not say
    path: str | None = None

    @property
    def is_wrong(self) -> bool:
        """Whether the learned prompt is wrong."""
        return self.learned != self.label


class HandWritten:
    """The hand-written prompt, on the image features that pass by.

    The image tower works once, for both prompts: while it listens, what goes
    into the head is kept until the answers about it are collected.

    Args:
        head (nn.Module): A ``CLIPHead``, whose towers and names it shares.
    """

    def __init__(self, head: nn.Module) -> None:
        self.head = head
        encoder = head.text_encoder
        with torch.no_grad():
            # (K, E)
            self.text_features = encode_written(
                encoder, HAND_WRITTEN, head.class_names
            )
        self._passing: Tensor | None = None
        self._handle: RemovableHandle | None = None

    def listen(self) -> None:
        """Keep the features of each batch from now on."""
        self._handle = self.head.register_forward_pre_hook(self._keep)

    def probabilities(self, number: int) -> Tensor | None:
        """Answer about the images that the head has seen last.

        Args:
            number (int): N, how many these should be.

        Returns:
            Tensor: (N, K) float32; None if the head has seen other images.
        """
        features, self._passing = self._passing, None
        if features is None or len(features) != number:
            return None
        scale = self.head.text_encoder.logit_scale.float().exp()
        # A bias, as some towers have, would not change probabilities.
        return (scale * features @ self.text_features.T).softmax(dim=-1)

    def stop(self) -> None:
        """Listen no more."""
        self._handle.remove()
        self._passing = None

    def _keep(self, head: nn.Module, args: tuple) -> None:
        self._passing = head.pre_logits(args[0])


def read_answers(
    samples: Sequence, written: Tensor | None = None
) -> list[Answer]:
    """Reduce the predictions of a batch to answers.

    Args:
        samples (Sequence[DataSample]): N predictions, of mmpretrain's heads.
        written (Tensor, optional): (N, K) probabilities of the hand-written
            prompt.

    Returns:
        list[Answer]: Without images that have no label, or several.
    """
    found = [sample.get('gt_label') for sample in samples]
    rows = [
        row
        for row, label in enumerate(found)
        if label is not None and label.numel() == 1
    ]
    if not rows:
        return []
    labels = torch.cat([found[row] for row in rows])
    scores = torch.stack([samples[row].pred_score for row in rows])
    confidences, learned = scores.float().max(dim=-1)
    columns = [labels, learned, confidences]
    if written is not None:
        confidences, by_hand = written[rows].max(dim=-1)
        columns += [by_hand, confidences]
    # One wait for an accelerator per column, not per image
    columns = [column.tolist() for column in columns]
    return [
        Answer(*row, path=samples[index].get('img_path'))
        for index, *row in zip(rows, *columns, strict=True)
    ]
