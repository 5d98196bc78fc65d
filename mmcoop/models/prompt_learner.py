"""The context vectors, and the prompts that they stand in.

Zhou et al., "Learning to Prompt for Vision-Language Models", IJCV 2022,
section 3.2: the words around a class name become vectors that are learned.
"""

from collections.abc import Sequence

import torch
from mmengine.logging import print_log
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmcoop.registry import MODELS

from .prompt_layout import POSITIONS, PromptLayout
from .text_encoder import TextEncoder, count_tokens

DEFAULT_NUM_CONTEXT = 16


@MODELS.register_module()
class PromptLearner(BaseModule):
    """Learn M context vectors, in the space of the tower's word embeddings.

    Args:
        num_context (int, optional): M. None: as many as ``ctx_init`` has
            tokens, else 16. Defaults to None.
        ctx_init (str, optional): Words to start from, like 'a photo of a';
            None draws from N(0, 0.02). Defaults to None.
        class_specific (bool): Whether every class learns vectors of its own
            (the paper's CSC). Defaults to False, one unified context.
        class_token_position (str): Where the class name stands: 'end',
            'middle' (M // 2 vectors before it) or 'front'. Defaults to
            'end'.
        text_encoder (TextEncoder): The tower that the prompts are for. It is
            read, not kept.
        class_names (Sequence[str], optional): K names. None: they come
            later, with :meth:`set_class_names`. Defaults to None.

    Attributes:
        ctx (nn.Parameter): (M, D), or (K, M, D) if class-specific; float32
            whatever the tower's precision.

    Raises:
        ValueError: If options are out of range or contradict each other, or
            a name does not fit.
    """

    def __init__(
        self,
        num_context: int | None = None,
        ctx_init: str | None = None,
        class_specific: bool = False,
        class_token_position: str = 'end',
        *,
        text_encoder: TextEncoder,
        class_names: Sequence[str] | None = None,
    ):
        super().__init__()
        if class_token_position not in POSITIONS:
            raise ValueError(
                f'class_token_position is {class_token_position!r}: choose '
                f'one of {", ".join(map(repr, POSITIONS))}.'
            )
        if class_specific and class_names is None:
            raise ValueError(
                'a class-specific context needs its class names when the '
                'model is built, since it has vectors for each of them: set '
                'class_names of the head to a list, a text file, a known set '
                'or the config of the data set.'
            )
        self.class_specific = class_specific
        self.class_token_position = class_token_position
        self.layout: PromptLayout | None = None
        self.parts = nn.ModuleList()
        self.bounds: list[tuple[int, int]] = []

        words = _embed_words(ctx_init, text_encoder) if ctx_init else None
        self.num_context = _num_context(num_context, ctx_init, words)
        if words is None:
            K = len(class_names) if class_specific else 1
            words = torch.empty(K, self.num_context, text_encoder.width)
            nn.init.normal_(words, std=0.02)
            words = words if class_specific else words[0]
        elif class_specific:
            words = words.repeat(len(class_names), 1, 1)
        self.ctx = nn.Parameter(words)
        if class_names is not None:
            self.set_class_names(class_names, text_encoder)

    def set_class_names(
        self, class_names: Sequence[str], text_encoder: TextEncoder
    ) -> None:
        """Put the context around these names.

        Args:
            class_names (Sequence[str]): K names; a unified context takes
                any, a class-specific one those that it was built for.
            text_encoder (TextEncoder): The tower that the prompts are for.

        Raises:
            ValueError: If a name does not fit the tower beside M vectors.
        """
        if self.class_specific and len(class_names) != len(self.ctx):
            raise ValueError(
                f'class_names has {len(class_names)} entries but the '
                f'class-specific context has {len(self.ctx)}: it belongs to '
                'the classes that it was learned for. Pass those names, or '
                'train a unified context.'
            )
        self.layout = layout_of_names(
            class_names,
            text_encoder,
            num_context=self.num_context,
            class_token_position=self.class_token_position,
            class_specific=self.class_specific,
        ).to(self.ctx.device)
        self.split([(0, len(class_names))])

    def split(self, bounds: Sequence[tuple[int, int]]) -> None:
        """Cut the classes into parts that are encoded one at a time.

        Args:
            bounds (Sequence[tuple[int, int]]): The first class of each part,
                and the one after its last.
        """
        self.bounds = list(bounds)
        self.parts = nn.ModuleList(
            self.layout
            if (start, stop) == (0, self.layout.num_classes)
            else self.layout.part(start, stop)
            for start, stop in self.bounds
        )

    def of_part(self, ctx: Tensor, part: int) -> Tensor:
        """Cut out the vectors of a part of the classes.

        Args:
            ctx (Tensor): Of the shape of ``ctx``, like its gradient.
            part (int): Which part of the classes; see :meth:`split`.

        Returns:
            Tensor: A view of ``ctx``: (K_part, M, D) if class-specific, or
            all of it.
        """
        start, stop = self.bounds[part]
        return ctx[start:stop] if self.class_specific else ctx

    def forward(
        self,
        text_encoder: TextEncoder,
        part: int = 0,
        vectors: Tensor | None = None,
    ) -> Tensor:
        """Build one prompt per class from the current context vectors.

        Args:
            text_encoder (TextEncoder): The tower that the prompts are for.
            part (int): Which part of the classes; see :meth:`split`.
                Defaults to 0, all of them if they were not split.
            vectors (Tensor, optional): In place of the part's own, see
                :meth:`of_part`. Defaults to None.

        Returns:
            Tensor: (K, L, D), float32. Row 0 is [SOS]; only the M context
            rows carry gradient.
        """
        layout, ctx = self._part(part, vectors)
        prompts = text_encoder.token_embedding(layout.token_ids).to(
            self.ctx.dtype
        )
        index = layout.context_index
        if self.class_specific:
            classes = torch.arange(len(index), device=index.device)[:, None]
            vectors = ctx[classes, index.clamp(min=0)]
        else:
            vectors = ctx[index.clamp(min=0)]
        return torch.where((index >= 0)[..., None], vectors, prompts)

    def packed(
        self,
        text_encoder: TextEncoder,
        part: int = 0,
        vectors: Tensor | None = None,
    ) -> Tensor:
        """Build the packed rows of all prompts.

        Args:
            text_encoder (TextEncoder): The tower that the prompts are for.
            part (int): Which part of the classes; see :meth:`split`.
                Defaults to 0, all of them if they were not split.
            vectors (Tensor, optional): In place of the part's own, see
                :meth:`of_part`. Defaults to None.

        Returns:
            Tensor: (P + R, D), float32; see :class:`PromptLayout`.
        """
        layout, ctx = self._part(part, vectors)
        rows = text_encoder.token_embedding(layout.row_token_id).to(
            self.ctx.dtype
        )
        if self.class_specific:
            vectors = ctx[:, layout.suffix_context]
        else:
            # `expand`, since its derivative is one sum over classes.
            vectors = ctx[layout.suffix_context].expand(
                layout.num_classes, -1, -1
            )
        vectors = vectors.reshape(-1, self.ctx.shape[-1])
        if len(layout.prefix_context):
            vectors = torch.cat([ctx[layout.prefix_context], vectors])
        return rows.index_copy(0, layout.context_row, vectors)

    def _part(
        self, part: int, vectors: Tensor | None
    ) -> tuple[PromptLayout, Tensor]:
        """The layout of a part of the classes, and their vectors."""
        if self.layout is None:
            raise RuntimeError(
                'the prompts have no class names yet: call set_class_names.'
            )
        if vectors is None:
            vectors = self.of_part(self.ctx, part)
        return self.parts[part], vectors

    def _load_from_state_dict(self, state_dict, prefix, *args) -> None:
        # mmengine only warns about a shape that does not fit, and would go
        # on with the context that the model was built with.
        loaded = state_dict.get(f'{prefix}ctx')
        if loaded is not None and loaded.shape != self.ctx.shape:
            raise ValueError(_shape_error(loaded, self.ctx))
        super()._load_from_state_dict(state_dict, prefix, *args)


def layout_of_names(
    class_names: Sequence[str],
    text_encoder: TextEncoder,
    num_context: int,
    class_token_position: str = 'end',
    class_specific: bool = False,
) -> PromptLayout:
    """Tokenise 'X … X name.', the original's way, and lay it out.

    Args:
        class_names (Sequence[str]): K names; underscores count as spaces.
        text_encoder (TextEncoder): Whose tokenizer and length count.
        num_context (int): M, the placeholders before the name.
        class_token_position (str): Where the name stands.
        class_specific (bool): Whether every class has its own vectors.

    Returns:
        PromptLayout: On the CPU.

    Raises:
        ValueError: If names do not fit: which, and by how many tokens.
    """
    names = [name.replace('_', ' ') for name in class_names]
    texts = [' '.join(['X'] * num_context + [name]) + '.' for name in names]
    counts = count_tokens(text_encoder, texts)
    L = text_encoder.context_length
    long = [
        (count - L, name)
        for name, count in zip(names, counts, strict=True)
        if count > L
    ]
    if long:
        worst = '; '.join(
            f'{name!r} by {over}' for over, name in sorted(long)[:-6:-1]
        )
        raise ValueError(
            f'{len(long)} of {len(names)} class names do not fit the {L} '
            f'tokens of {text_encoder.name} beside {num_context} context '
            f'vectors. Too long, in tokens: {worst}. Shorten the names or '
            'lower num_context.'
        )
    # [SOS] and [EOS] in CLIP; towers from elsewhere may have only one.
    empty = count_tokens(text_encoder, [''])[0]
    # Sizes depend on the ids: they are real even where the model is not.
    with torch.device('cpu'):
        return PromptLayout.around_names(
            text_encoder.tokenizer(texts, context_length=L),
            name_lengths=torch.tensor(count_tokens(text_encoder, names))
            - empty,
            eos=torch.tensor(counts) - 1,
            num_context=num_context,
            class_token_position=class_token_position,
            class_specific=class_specific,
            num_special=_num_special(text_encoder),
        )


def _num_special(text_encoder: TextEncoder) -> int:
    """How many tokens stand before the first word."""
    a, b = text_encoder.tokenizer(
        ['a', 'dog'], context_length=text_encoder.context_length
    )
    return int((a == b).long().cumprod(0).sum())


def _embed_words(words: str, text_encoder: TextEncoder) -> Tensor:
    """The embeddings of words, (M, D) float32."""
    words = words.replace('_', ' ')
    empty = count_tokens(text_encoder, [''])[0]
    M = count_tokens(text_encoder, [words])[0] - empty
    if M < 1:
        raise ValueError(
            f'ctx_init is {words!r}, which holds no word: give words like '
            "'a photo of a', or leave it out for a random start."
        )
    if len(words.split()) != M:
        print_log(
            f'ctx_init {words!r} has {len(words.split())} words but {M} '
            f'tokens: num_context is {M}.',
            logger='current',
        )
    first = _num_special(text_encoder)
    ids = text_encoder.tokenizer(
        [words], context_length=text_encoder.context_length
    )
    device = text_encoder.token_embedding.weight.device
    ids = ids[0, first : first + M].to(device)
    return text_encoder.token_embedding(ids).float()


def _num_context(
    num_context: int | None, ctx_init: str | None, words: Tensor | None
) -> int:
    """M, from what was asked for."""
    if num_context is None:
        return DEFAULT_NUM_CONTEXT if words is None else len(words)
    if isinstance(num_context, bool) or not isinstance(num_context, int):
        raise TypeError(
            f'num_context is {num_context!r}, a {type(num_context).__name__}'
            ': give a whole number of context vectors, like 16.'
        )
    if num_context < 1:
        raise ValueError(
            f'num_context is {num_context}: at least 1 context vector is '
            'needed to learn one. For hand-written prompts use '
            'mmcoop.ZeroShotHead.'
        )
    if words is not None and len(words) != num_context:
        raise ValueError(
            f'num_context is {num_context} but ctx_init {ctx_init!r} has '
            f'{len(words)} tokens: leave num_context out, or give words of '
            'that length.'
        )
    return num_context


def _shape_error(loaded: Tensor, ctx: Tensor) -> str:
    """Say how a checkpoint's context differs from the model's."""

    def describe(shape):
        *classes, M, D = shape
        kind = f'class-specific, K = {classes[0]}' if classes else 'unified'
        return f'{kind}, M = {M}, D = {D}'

    if loaded.dim() not in (2, 3):
        return (
            f"the checkpoint's context has shape {tuple(loaded.shape)}: "
            'expected (M, D) or (K, M, D). Is it a CoOp checkpoint?'
        )
    advice = 'Set num_context and class_specific as they were in training.'
    if loaded.shape[-1] != ctx.shape[-1]:
        advice = (
            'D is the width of the text tower: load the CLIP that the '
            'context was learned with.'
        )
    elif loaded.dim() == ctx.dim() == 3 and len(loaded) != len(ctx):
        advice = (
            'A class-specific context belongs to the classes that it '
            'was learned for. Pass those class_names, or train a '
            'unified context.'
        )
    return (
        f"the checkpoint's context is {describe(loaded.shape)}, but the "
        f"model's is {describe(ctx.shape)}. {advice}"
    )
