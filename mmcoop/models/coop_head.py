"""Classify with a learned prompt (CoOp)."""

from collections.abc import Callable, Sequence

import torch
from mmengine.dist import get_rank
from mmengine.logging import print_log
from torch import Tensor
from torch.autograd.function import once_differentiable

from mmcoop.registry import MODELS

from .clip_head import CLIPHead
from .prompt_layout import PromptLayout
from .text_encoder import TextEncoder
from .text_parallel import gather_shares, share_bounds


@MODELS.register_module()
class CoOpHead(CLIPHead):
    """Compare images with learned prompts.

    Zhou et al., "Learning to Prompt for Vision-Language Models", IJCV 2022.
    The one trainable tensor is ``prompt_learner.ctx``; it is also all that a
    state dict holds.

    Args:
        clip (dict): See :class:`CLIPVision`.
        class_names (str | Sequence[str] | dict, optional): See
            :class:`CLIPHead`. Defaults to None.
        prompt_learner (dict): Config of a :class:`PromptLearner`.
        text_chunk_size (int, optional): Encode so many classes at a time and
            again for the gradient, so that memory does not grow with the
            number of classes; costs half as much arithmetic again. None
            encodes all at once. Defaults to None.
        text_parallel (bool): In distributed training, let each rank encode
            its share of the classes instead of all. Same result. Defaults to
            False.
        compile_text (bool | str, optional): Compile the text tower with
            ``torch.compile``; a string is its ``mode``. None: on a GPU.
            Where the compiler fails it is left out, with a line in the log.
            Defaults to None.
        **kwargs: ``loss``, ``topk``, ``cal_acc`` and ``init_cfg`` of
            mmpretrain's ``ClsHead``.
    """

    def __init__(
        self,
        clip: dict,
        class_names: str | Sequence[str] | dict | None = None,
        prompt_learner: dict | None = None,
        text_chunk_size: int | None = None,
        text_parallel: bool = False,
        compile_text: bool | str | None = None,
        **kwargs,
    ):
        super().__init__(clip, class_names, **kwargs)
        if text_chunk_size is not None and (
            not isinstance(text_chunk_size, int) or text_chunk_size < 1
        ):
            raise ValueError(
                f'text_chunk_size is {text_chunk_size!r}: give a number of '
                'classes, like 1000, or None for all at once.'
            )
        self.text_chunk_size = text_chunk_size
        self.text_parallel = text_parallel
        self.compile_text = compile_text
        self._compiled: Callable | None = None
        self._ranks: list[int] = []
        prompt_learner = dict(prompt_learner or {})
        prompt_learner.setdefault('type', 'mmcoop.PromptLearner')
        self.prompt_learner = MODELS.build(
            dict(
                prompt_learner,
                text_encoder=self.text_encoder,
                class_names=self.class_names,
            )
        )
        if self.class_names is not None:
            self._split_classes()

    def encode_text(self) -> Tensor:
        """Encode the prompts around the current context.

        Returns:
            Tensor: (K, E), before normalisation.
        """
        self._require_class_names()
        learning = self.training and torch.is_grad_enabled()
        share = self.text_parallel and learning
        rank = get_rank()
        parts = [
            part
            for part, of_rank in enumerate(self._ranks)
            if not share or of_rank == rank
        ]
        context = self.prompt_learner.ctx
        if not parts:
            # A rank without a class takes part all the same: its context
            # needs a gradient, if only of zeros, for the ranks to exchange.
            nothing = 0 * context.sum()
            features = nothing.expand(0, self.text_encoder.embed_dim)
        elif self.text_chunk_size or len(parts) > 1:
            features = _InChunks.apply(self, parts, context)
        else:
            features = self._encode_part(parts[0])
        if not share:
            return features
        return gather_shares(features.float(), len(self.class_names))

    def _encode_part(self, part: int, vectors: Tensor | None = None) -> Tensor:
        learner, encoder = self.prompt_learner, self.text_encoder
        layout = learner.parts[part]
        if encoder.plain_because:
            return encoder(learner(encoder, part, vectors), layout)
        prompts = learner.packed(encoder, part, vectors)
        return self._encode_packed(prompts, layout)

    def _encode_packed(self, prompts: Tensor, layout: PromptLayout) -> Tensor:
        """Call the text encoder, compiled where that pays."""
        mode = self.compile_text
        if not (prompts.is_cuda if mode is None else mode):
            return self.text_encoder(prompts, layout)
        try:
            if self._compiled is None:
                self._compiled = torch.compile(
                    self.text_encoder.forward,
                    mode=mode if isinstance(mode, str) else None,
                )
                _compare(self._compiled, self.text_encoder, prompts, layout)
            return self._compiled(prompts, layout)
        except Exception as error:
            # Compilers fail in many ways, none of which matters here: the
            # same is computed without them. An error of ours comes again.
            self.compile_text = False
            reason = str(error).strip().splitlines() or ['']
            print_log(
                'compile_text: left out, since the compiler failed: '
                f'{type(error).__name__}: {reason[0]}',
                logger='current',
            )
            return self.text_encoder(prompts, layout)

    def _use_class_names(self, class_names: Sequence[str]) -> None:
        self.prompt_learner.set_class_names(class_names, self.text_encoder)
        self._split_classes()

    def _split_classes(self) -> None:
        """Cut the classes into shares of ranks, and those into chunks."""
        K = self.prompt_learner.layout.num_classes
        shares = share_bounds(K) if self.text_parallel else [(0, K)]
        size = self.text_chunk_size or K
        bounds = [
            (rank, first, min(first + size, stop))
            for rank, (start, stop) in enumerate(shares)
            for first in range(start, stop, size)
        ]
        self._ranks = [rank for rank, *_ in bounds]
        self.prompt_learner.split([(a, b) for _, a, b in bounds])

    def _load_from_state_dict(
        self, state_dict, prefix, local_metadata, *args
    ) -> None:
        names = local_metadata.get('class_names')
        if (
            self.prompt_learner.class_specific
            and names
            and tuple(names) != self.class_names
        ):
            differing = [
                f'; first {was!r}, not {now!r}'
                for was, now in zip(names, self.class_names, strict=False)
                if was != now
            ]
            which = differing[0] if differing else ''
            raise ValueError(
                f'class_names has {len(self.class_names)} entries, and the '
                "checkpoint's class-specific context was learned for "
                f'{len(names)}{which}: CSC contexts belong to the classes '
                'they were learned for. Pass those names, or train a unified '
                'context.'
            )
        super()._load_from_state_dict(
            state_dict, prefix, local_metadata, *args
        )


class _InChunks(torch.autograd.Function):
    """Encode part after part, and each again for the gradient.

    The rows of the result are where they belong from the start. Were they
    kept one part at a time, as `torch.utils.checkpoint` would, they would
    lie between the blocks that a part gives back, too close for the next
    part's: the memory of a process then grows with the number of parts.
    """

    @staticmethod
    def forward(ctx, head, parts, context):
        device = context.device.type
        ctx.autocast = dict(
            device_type=device,
            dtype=torch.get_autocast_dtype(device),
            enabled=torch.is_autocast_enabled(device),
        )
        bounds = [head.prompt_learner.bounds[part] for part in parts]
        (first, _), (_, last) = bounds[0], bounds[-1]
        ctx.rows = [
            slice(start - first, stop - first) for start, stop in bounds
        ]
        ctx.head, ctx.parts = head, parts
        ctx.save_for_backward(context)
        features = None
        for part, rows in zip(parts, ctx.rows, strict=True):
            encoded = head._encode_part(part)
            if features is None:
                features = encoded.new_empty(last - first, encoded.shape[1])
            features[rows] = encoded
        return features

    @staticmethod
    @once_differentiable
    def backward(ctx, grad):
        (context,) = ctx.saved_tensors
        of_part = ctx.head.prompt_learner.of_part
        result = torch.zeros_like(context)
        for part, rows in zip(ctx.parts, ctx.rows, strict=True):
            with torch.enable_grad(), torch.autocast(**ctx.autocast):
                vectors = of_part(context, part).detach().requires_grad_()
                encoded = ctx.head._encode_part(part, vectors)
            (of_vectors,) = torch.autograd.grad(encoded, vectors, grad[rows])
            of_part(result, part).add_(of_vectors)
        return None, None, result


def _compare(
    compiled: Callable,
    encoder: TextEncoder,
    prompts: Tensor,
    layout: PromptLayout,
) -> None:
    """Hold a compiled encoder against the plain one, gradient included.

    A compiler may be wrong without a word: torch 2.14's has been, for this
    tower's gradient on a CPU.

    Raises:
        RuntimeError: If they differ by more than rounding.
    """
    results = []
    with torch.enable_grad():
        prompts = prompts.detach().requires_grad_()
        for encode in (compiled, encoder):
            features = encode(prompts, layout)
            weights = torch.linspace(-1, 1, features.numel())
            weights = weights.view_as(features).to(features)
            grad = torch.autograd.grad((features * weights).sum(), prompts)
            results.append((features.detach().float(), grad[0].float()))
    rounding = 1e-4 if features.dtype == torch.float32 else 5e-2
    for ours, expected in zip(*results, strict=True):
        error = (ours - expected).abs().max() / expected.abs().max()
        if not error < rounding:
            raise RuntimeError(f'its result differs by {error:.1g}')
