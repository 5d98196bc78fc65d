"""The frozen text tower, over packed prompts where that is exact.

Departs from open_clip's `encode_text` in what it computes, not in what comes
out: a causal tower's tokens see only those before them, so what all classes
start with is computed once, nothing after [EOS] is computed at all, and the
rest is one row per real token. See `prompt_layout.py` for where rows sit.
"""

from collections.abc import Callable, Sequence
from functools import cached_property

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .prompt_layout import PromptLayout


class _Pad(torch.autograd.Function):
    """Packed rows (R, …) to padded slots (K, T, …).

    Both directions are gathers: the derivative of an ordinary gather is an
    indexed add, which is slow and, on a GPU, not reproducible. Slots without
    a row hold any finite value; whoever reads them must mask them.
    """

    @staticmethod
    def forward(ctx, rows, slot_row, row_slot):
        ctx.save_for_backward(row_slot)
        slots = rows.index_select(0, slot_row.flatten())
        return slots.unflatten(0, slot_row.shape)

    @staticmethod
    def backward(ctx, grad):
        (row_slot,) = ctx.saved_tensors
        return grad.flatten(0, 1).index_select(0, row_slot), None, None


class _Unpad(torch.autograd.Function):
    """Padded slots (K, T, …) to packed rows (R, …)."""

    @staticmethod
    def forward(ctx, slots, slot_row, slot_used, row_slot):
        ctx.save_for_backward(slot_row, slot_used)
        return slots.flatten(0, 1).index_select(0, row_slot)

    @staticmethod
    def backward(ctx, grad):
        slot_row, slot_used = ctx.saved_tensors
        slots = grad.index_select(0, slot_row.flatten())
        unused = ~slot_used.flatten()
        unused = unused.view(-1, *(1 for _ in range(grad.dim() - 1)))
        slots = slots.masked_fill(unused, 0)
        return slots.unflatten(0, slot_row.shape), None, None, None


def _pad(rows: Tensor, layout: PromptLayout) -> Tensor:
    return _Pad.apply(rows, layout.slot_row, layout.row_slot)


def _unpad(slots: Tensor, layout: PromptLayout) -> Tensor:
    return _Unpad.apply(
        slots, layout.slot_row, layout.slot_used, layout.row_slot
    )


class TextEncoder(nn.Module):
    """The text tower of a loaded CLIP: frozen, in eval mode, never saved.

    Args:
        model (nn.Module): open_clip's model without its image tower.
        load_tokenizer (Callable): Gives the tokenizer when it is needed:
            ``tokenizer(texts, context_length)`` gives ids of shape
            (K, context_length), as open_clip's do.
        tower (nn.Module): The part of ``model`` that holds the text layers:
            ``model`` itself, or its ``text``.
        context_length (int): L, the tokens that the tower takes.
        embed_dim (int): E, the width of the joint space.
        plain_because (str, optional): Why prompts cannot be packed in this
            tower. None: they can. Defaults to None.
        name (str): What errors call the tower. Defaults to 'CLIP'.
        fingerprint (str): Identifies the weights; a context belongs to the
            tower that it was learned with. Defaults to ''.
    """

    def __init__(
        self,
        model: nn.Module,
        load_tokenizer: Callable[[], Callable],
        tower: nn.Module,
        context_length: int,
        embed_dim: int,
        plain_because: str | None = None,
        name: str = 'CLIP',
        fingerprint: str = '',
    ):
        super().__init__()
        self.model = model
        self._load_tokenizer = load_tokenizer
        self.context_length = context_length
        self.embed_dim = embed_dim
        self.plain_because = plain_because
        self.name = name
        self.fingerprint = fingerprint
        # Not registered a second time: `model` owns it.
        object.__setattr__(self, '_tower', tower)

    @cached_property
    def tokenizer(self) -> Callable:
        """Texts to token ids."""
        return self._load_tokenizer()

    @property
    def token_embedding(self) -> nn.Module:
        """The embedding of token ids: (…) int64 to (…, D)."""
        return self._tower.token_embedding

    @property
    def width(self) -> int:
        """D, the width of the word embeddings."""
        return self.token_embedding.weight.shape[1]

    @property
    def logit_scale(self) -> Tensor:
        """The stored logarithm of the scale, a scalar; ``.exp()`` it."""
        return self.model.logit_scale

    @property
    def logit_bias(self) -> Tensor | None:
        """What sigmoid-trained towers add to the logits; None elsewhere."""
        return getattr(self.model, 'logit_bias', None)

    def forward(self, prompts: Tensor, layout: PromptLayout) -> Tensor:
        """Encode one prompt per class.

        Args:
            prompts (Tensor): Embeddings without positions: packed rows
                (P + R, D), or (K, L, D) where ``plain_because`` is set.
            layout (PromptLayout): Where the prompts' tokens sit.

        Returns:
            Tensor: (K, E) text features before normalisation, in the
            tower's dtype.
        """
        if prompts.dim() == 2:
            return self._encode_packed(prompts, layout)
        return self._encode_plain(prompts, layout.token_ids)

    def encode_layout(self, layout: PromptLayout) -> Tensor:
        """Encode prompts that hold words only.

        Args:
            layout (PromptLayout): A layout without context vectors.

        Returns:
            Tensor: (K, E) text features before normalisation.
        """
        ids = layout.token_ids if self.plain_because else layout.row_token_id
        return self(self.token_embedding(ids), layout)

    def train(self, mode: bool = True) -> 'TextEncoder':
        """Stay in eval mode: the tower is frozen."""
        return super().train(False)

    def init_weights(self) -> None:
        """Keep the loaded weights (mmengine calls this before training)."""

    def _encode_plain(self, prompts: Tensor, token_ids: Tensor) -> Tensor:
        # open_clip's own forward, on our embeddings: whatever a tower does
        # with its ids (pooling, padding masks, added tokens) stays as it is.
        hook = self.token_embedding.register_forward_hook(
            lambda module, args, output: prompts.to(output.dtype)
        )
        try:
            if hasattr(self.model, '_encode_text'):  # CoCa
                features, _ = self.model._encode_text(
                    token_ids, normalize=False
                )
                return features
            return self.model.encode_text(token_ids)
        finally:
            hook.remove()

    def _encode_packed(self, prompts: Tensor, layout: PromptLayout) -> Tensor:
        tower = self._tower
        dtype = tower.transformer.get_cast_dtype()
        x = prompts.to(dtype) + tower.positional_embedding.to(
            dtype
        ).index_select(0, layout.row_position)
        *blocks, last = tower.transformer.resblocks
        for block in blocks:
            x = _block(block, x, layout)
        # Only the [EOS] rows are read after the last layer.
        x = _block(last, x, layout, only_eos=True)
        x = tower.ln_final(x)
        projection = tower.text_projection
        if projection is None:
            return x
        if isinstance(projection, nn.Linear):
            return projection(x)
        return x @ projection


def _block(
    block: nn.Module, x: Tensor, layout: PromptLayout, only_eos: bool = False
) -> Tensor:
    """One residual attention block.

    Args:
        block (nn.Module): open_clip's ``ResidualAttentionBlock``.
        x (Tensor): (P + R, D), prefix rows before suffix rows.
        layout (PromptLayout): Where the rows sit.
        only_eos (bool): Return only the (K, D) rows of [EOS].

    Returns:
        Tensor: (P + R, D), or (K, D).
    """
    attended = _attention(block.attn, block.ln_1(x), layout, only_eos)
    if only_eos:
        x = x.index_select(0, layout.eos_row)
    x = x + block.ls_1(attended)
    return x + block.ls_2(block.mlp(block.ln_2(x)))


def _attention(
    attn: nn.MultiheadAttention,
    x: Tensor,
    layout: PromptLayout,
    only_eos: bool,
) -> Tensor:
    """Causal attention of packed rows.

    A suffix row meets the shared prefix, and the earlier rows of its own
    class; the two parts share one softmax.
    """
    P = layout.num_prefix
    H, D = attn.num_heads, attn.embed_dim
    weight_q, weight_kv = attn.in_proj_weight.split([D, 2 * D])
    bias_q, bias_kv = attn.in_proj_bias.split([D, 2 * D])
    asking = x.index_select(0, layout.eos_row) if only_eos else x
    q = F.linear(asking, weight_q, bias_q).view(-1, H, D // H)
    k, v = F.linear(x, weight_kv, bias_kv).view(-1, 2, H, D // H).unbind(1)

    attended = []
    if not only_eos:
        heads = [t[:P].transpose(0, 1)[None] for t in (q, k, v)]
        prefix = F.scaled_dot_product_attention(*heads, is_causal=True)
        attended.append(prefix[0].transpose(0, 1))
        q = q[P:]
    attended.append(_attend(q, k, v, layout, only_eos))
    return attn.out_proj(torch.cat(attended).reshape(-1, D))


def _attend(
    q: Tensor, k: Tensor, v: Tensor, layout: PromptLayout, only_eos: bool
) -> Tensor:
    """Attention of suffix rows to the prefix and to their own class.

    Args:
        q (Tensor): (R, H, d); or (K, H, d), the rows of [EOS].
        k (Tensor): (P + R, H, d).
        v (Tensor): (P + R, H, d).
        layout (PromptLayout): Where the rows sit.
        only_eos (bool): Whether ``q`` is of [EOS] alone.

    Returns:
        Tensor: As ``q``.
    """
    P, T = layout.num_prefix, layout.slot_row.shape[1]
    q = q * q.shape[-1] ** -0.5
    # (H, rows, d) x (H, d, P)
    to_prefix = q.transpose(0, 1) @ k[:P].permute(1, 2, 0)
    k_own, v_own = (_pad(t[P:], layout).transpose(1, 2) for t in (k, v))
    if only_eos:
        # (K, H, 1, d) x (K, H, d, T): [EOS] is its class's last row.
        to_own = (q[:, :, None] @ k_own.transpose(2, 3))[:, :, 0]
        to_own = to_own.masked_fill(~layout.slot_used[:, None], float('-inf'))
    else:
        to_own = _pad(q, layout).transpose(1, 2) @ k_own.transpose(2, 3)
        to_own = to_own.masked_fill(layout.slot_later, float('-inf'))
        to_own = _unpad(to_own.transpose(1, 2), layout)

    scores = torch.cat([to_prefix.transpose(0, 1), to_own], dim=-1)
    dtype = torch.promote_types(scores.dtype, torch.float32)
    shares = scores.softmax(dim=-1, dtype=dtype).to(v.dtype)
    of_prefix, of_own = shares.split([P, T], dim=-1)
    from_prefix = of_prefix.transpose(0, 1) @ v[:P].transpose(0, 1)
    if only_eos:
        from_own = (of_own[:, :, None] @ v_own)[:, :, 0]
    else:
        from_own = _pad(of_own, layout).transpose(1, 2) @ v_own
        from_own = _unpad(from_own.transpose(1, 2), layout)
    return from_prefix.transpose(0, 1) + from_own


def tokenize(encoder: TextEncoder, texts: Sequence[str]) -> Tensor:
    """Token ids of texts, with an error for one that does not fit.

    open_clip's tokenizers cut what is too long without a word.

    Args:
        encoder (TextEncoder): Whose tokenizer and length count.
        texts (Sequence[str]): K texts.

    Returns:
        Tensor: (K, L) int64.

    Raises:
        ValueError: If a text has more than L tokens.
    """
    L = encoder.context_length
    for text, count in zip(texts, count_tokens(encoder, texts), strict=True):
        if count > L:
            raise ValueError(
                f'the text {text!r} has {count} tokens, start and end '
                f'included, {count - L} more than the {L} that '
                f'{encoder.name} takes: shorten it.'
            )
    return encoder.tokenizer(list(texts), context_length=L)


def count_tokens(encoder: TextEncoder, texts: Sequence[str]) -> list[int]:
    """How many tokens texts have, start and end included, however long.

    Args:
        encoder (TextEncoder): Whose tokenizer counts.
        texts (Sequence[str]): K texts.

    Returns:
        list[int]: K counts.
    """
    tokenizer = encoder.tokenizer
    if hasattr(tokenizer, 'eot_token_id') and hasattr(tokenizer, 'encode'):
        return [len(tokenizer.encode(text)) + 2 for text in texts]
    # Tokenizers from elsewhere pad to the length asked for: ask for more than
    # any text can need (a character is at most 4 bytes, a byte one token).
    room = 4 * max(map(len, texts)) + 8
    ids = tokenizer(list(texts), context_length=room)
    pad = tokenizer('', context_length=room)[0, -1]
    return (ids != pad).sum(dim=1).tolist()
