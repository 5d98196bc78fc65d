"""Token ids to where everything sits. Index arithmetic only, no embeddings.

A prompt is a prefix that all classes share, and a suffix of its own, which
ends in [EOS]. With M context vectors v, a unified context and

    end      [SOS] v1 … vM | name . [EOS]
    middle   [SOS] v1 … vh | name vh+1 … vM . [EOS]      (h = M // 2)
    front    [SOS] | name v1 … vM . [EOS]

the prefix is what stands left of the bar (more, where all names begin with
the same words); a class-specific context leaves [SOS]. What follows [EOS] has
no effect in a causal tower and gets no row. The suffixes are kept packed, one
row per real token, class after class; T is the longest.
"""

import torch
from torch import Tensor, nn

POSITIONS = ('end', 'middle', 'front')


class PromptLayout(nn.Module):
    """Where tokens and context vectors sit in K prompts.

    Args:
        token_ids (Tensor): (K, L) int64, in their final order.
        context_index (Tensor): (K, L) int64, which context vector stands
            there; -1 where a token does.
        eos (Tensor): (K, ) int64, the position of [EOS].
        class_specific (bool): Whether every class has vectors of its own.
            Defaults to False.

    Attributes:
        num_prefix (int): P, the rows that all classes share.
        row_token_id (Tensor): (P + R, ), the id of each packed row.
        row_position (Tensor): (P + R, ), its place in the prompt.
        context_row (Tensor): Packed rows that hold a context vector.
        prefix_context (Tensor): Vectors of those in the prefix.
        suffix_context (Tensor): Vectors of those in one class's suffix; the
            same for every class.
        eos_row (Tensor): (K, ), the packed row of [EOS].
        slot_row (Tensor): (K, T), the suffix row in each padded slot.
        slot_used (Tensor): (K, T) bool, whether the slot has a row.
        slot_later (Tensor): (T, T) bool, keys that come after the query.
        row_slot (Tensor): (R, ), the slot (flat) of each suffix row.
    """

    def __init__(
        self,
        token_ids: Tensor,
        context_index: Tensor,
        eos: Tensor,
        class_specific: bool = False,
    ):
        super().__init__()
        context = context_index
        prefix = _shared(token_ids, context, class_specific, eos)
        lengths = eos + 1 - prefix
        K, T = len(eos), int(lengths.max())

        slot = torch.arange(T)
        used = slot < lengths[:, None]
        first = lengths.cumsum(0) - lengths
        suffix_ids = token_ids[:, prefix : prefix + T][used]
        suffix_context = context[:, prefix : prefix + T]
        rows = torch.cat([context[0, :prefix], suffix_context[used]])

        self.num_classes = K
        self.num_prefix = prefix
        self.class_specific = class_specific
        index = dict(
            token_ids=token_ids,
            context_index=context,
            eos=eos,
            row_token_id=torch.cat([token_ids[0, :prefix], suffix_ids]),
            row_position=torch.cat(
                [
                    torch.arange(prefix),
                    (prefix + slot).expand(K, T)[used],
                ]
            ),
            context_row=(rows >= 0).nonzero()[:, 0],
            prefix_context=context[0, :prefix][context[0, :prefix] >= 0],
            suffix_context=context[0, prefix:][context[0, prefix:] >= 0],
            eos_row=prefix + first + lengths - 1,
            slot_row=torch.where(used, first[:, None] + slot, first[:, None]),
            slot_used=used,
            slot_later=slot > slot[:, None],
            row_slot=used.view(-1).nonzero()[:, 0],
        )
        for name, tensor in index.items():
            self.register_buffer(name, tensor, persistent=False)

    @classmethod
    def around_names(
        cls,
        token_ids: Tensor,
        name_lengths: Tensor,
        eos: Tensor,
        num_context: int,
        class_token_position: str = 'end',
        class_specific: bool = False,
        num_special: int = 1,
    ) -> 'PromptLayout':
        """Lay out context vectors around class names.

        Args:
            token_ids (Tensor): (K, L) int64, prompts in which M placeholder
                tokens stand where an `end` context goes.
            name_lengths (Tensor): (K, ) int64, tokens of each name alone.
            eos (Tensor): (K, ) int64, the position of [EOS].
            num_context (int): M.
            class_token_position (str): Where the name stands. Defaults to
                'end'.
            class_specific (bool): Whether every class has vectors of its
                own. Defaults to False.
            num_special (int): Tokens before the first word: 1, [SOS], in
                CLIP. Defaults to 1.
        """
        source, context = _arrange(
            token_ids,
            name_lengths,
            num_context,
            class_token_position,
            num_special,
        )
        return cls(token_ids.gather(1, source), context, eos, class_specific)

    @classmethod
    def of_words(cls, token_ids: Tensor, eos: Tensor) -> 'PromptLayout':
        """Lay out prompts without context vectors.

        Args:
            token_ids (Tensor): (K, L) int64.
            eos (Tensor): (K, ) int64, the position of [EOS].
        """
        return cls(token_ids, torch.full_like(token_ids, -1), eos)

    def part(self, start: int, stop: int) -> 'PromptLayout':
        """Lay out some of the classes alone.

        Args:
            start (int): The first class.
            stop (int): The one after the last.
        """
        device = self.eos.device
        tables = self.token_ids, self.context_index, self.eos
        tables = (table[start:stop].cpu() for table in tables)
        return PromptLayout(*tables, self.class_specific).to(device)

    @property
    def num_tokens(self) -> int:
        """Tokens that a packed tower works on, P + R."""
        return len(self.row_position)


def _arrange(
    token_ids: Tensor,
    name_lengths: Tensor,
    M: int,
    position: str,
    num_special: int,
) -> tuple[Tensor, Tensor]:
    """Move names among the context.

    Returns:
        tuple[Tensor, Tensor]: (K, L) which column of ``token_ids`` stands at
        each place, and (K, L) which context vector, -1 for none.
    """
    before = dict(end=M, middle=M // 2, front=0)[position]
    place = torch.arange(token_ids.shape[1]).expand_as(token_ids)
    name = name_lengths[:, None]
    index = place - num_special
    in_name = (index >= before) & (index < before + name)
    # Vectors after the name: one further left per token of the name.
    context = torch.where(index < before, index, index - name)
    is_context = (index >= 0) & (index < M + name) & ~in_name
    source = torch.where(in_name, place + M - before, place)
    return source, torch.where(is_context, context, -1)


def _shared(
    token_ids: Tensor, context: Tensor, class_specific: bool, eos: Tensor
) -> int:
    """P: how many leading places are the same in every class."""
    same = (token_ids == token_ids[:1]) & (context == context[:1])
    if class_specific:
        same &= context < 0
    same = same.all(dim=0)
    # Every class keeps at least its [EOS] in the suffix.
    same[int(eos.min()) :] = False
    return int(same.long().cumprod(0).sum())
