"""Checkpoints of the original CoOp, read safely and written.

The original saves ``prompt_learner/model.pth.tar-EPOCH``: a pickle with the
context, two tensors that depend on the class names and are of no use without
them, and the states of optimiser and scheduler, which hold Python objects.
Only the context is taken over.
"""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from mmengine.runner import CheckpointLoader
from torch import Tensor

# Of ours, and of the original's
OUR_KEY = 'head.prompt_learner.ctx'
KEY = 'ctx'
# The classes that the original's optimisers and schedulers are of. A file
# that names anything else is no such checkpoint, and is refused.
INERT = ('torch.optim.', 'dassl.optim.', 'builtins.dict')
EMPTY_DICT = 'collections.defaultdict'


class _Inert:
    """Stands in for an object that is not needed, and does nothing."""

    def __init__(self, *args: Any) -> None:
        pass

    def __setstate__(self, state: Any) -> None:
        pass


@dataclass(frozen=True)
class Context:
    """Learned context vectors, and what is known of them.

    Attributes:
        ctx (Tensor): (M, D) or (K, M, D), float32.
        epoch (int): After which they were saved; 0 if unknown.
        is_official (bool): Whether they were in the original's form.
        class_names (tuple[str], optional): That they were learned for.
        clip (str, optional): That they were learned with.
    """

    ctx: Tensor
    epoch: int
    is_official: bool
    class_names: tuple[str, ...] | None = None
    clip: str | None = None


def load_context(filename: str) -> Context:
    """Read the context of a checkpoint, of the original or of mmcoop.

    No code from the file is run: whatever a pickle asks for that is neither
    tensor nor plain value becomes an empty object, if it is a part of an
    optimiser, and is refused otherwise.

    Args:
        filename (str): Its path.

    Returns:
        Context: The original's has neither names nor CLIP.

    Raises:
        FileNotFoundError: If there is no such file.
        pickle.UnpicklingError: If it could run code.
        ValueError: If there is no context in it.
    """
    with torch.serialization.safe_globals(_inert_globals(filename)):
        checkpoint = CheckpointLoader.load_checkpoint(
            filename, map_location='cpu'
        )
    state = checkpoint.get('state_dict') if isinstance(checkpoint, dict) else 0
    if not isinstance(state, dict) or not ({KEY, OUR_KEY} & set(state)):
        found = ', '.join(map(str, list(state)[:5])) if state else 'none'
        raise ValueError(
            f'{filename} has no context: wanted a state_dict with {KEY!r} '
            f"(the original's) or {OUR_KEY!r} (mmcoop's), found {found}. The "
            "original's is in the folder prompt_learner of a run's output."
        )
    is_official = KEY in state
    ctx = state[KEY if is_official else OUR_KEY]
    if not _is_matrix(ctx):
        found = (
            f'shape {tuple(ctx.shape)} and type {ctx.dtype}'
            if isinstance(ctx, Tensor)
            else f'type {type(ctx).__name__}'
        )
        raise ValueError(
            f'{filename} has a context of {found}: wanted (M, D), or '
            '(K, M, D) if class-specific, in floating point, with all '
            'numbers in the file. Is it a checkpoint of another method?'
        )
    note = _as_dict(_as_dict(getattr(state, '_metadata', None)).get('head'))
    meta = checkpoint if is_official else _as_dict(checkpoint.get('meta'))
    names, clip, epoch = (
        note.get('class_names'),
        note.get('clip'),
        meta.get('epoch'),
    )
    return Context(
        ctx=ctx.float(),
        epoch=epoch if isinstance(epoch, int) else 0,
        is_official=is_official,
        class_names=tuple(map(str, names)) if _is_list(names) else None,
        clip=clip if isinstance(clip, str) else None,
    )


def _is_matrix(ctx: Any) -> bool:
    """Whether something is one or several matrices of numbers of its own.

    A few bytes can say that they are a tensor of any size, all of whose
    numbers are the same one.
    """
    return (
        isinstance(ctx, Tensor)
        and ctx.layout == torch.strided
        and ctx.device.type == 'cpu'
        and ctx.dim() in (2, 3)
        and ctx.is_floating_point()
        and 0 < ctx.nbytes <= ctx.untyped_storage().nbytes()
    )


def _as_dict(value: Any) -> dict:
    return value if isinstance(value, dict) else {}


def _is_list(value: Any) -> bool:
    return isinstance(value, list | tuple) and len(value) > 0


def our_checkpoint(
    ctx: Tensor, epoch: int = 0, class_names: Sequence[str] | None = None
) -> dict:
    """Put a context into the form that mmengine loads into a CoOp model.

    Args:
        ctx (Tensor): (M, D) or (K, M, D).
        epoch (int): After which it was saved.
        class_names (Sequence[str], optional): K names that it was learned
            for.

    Returns:
        dict: For ``torch.save``.
    """
    state = OrderedDict({OUR_KEY: ctx.float().contiguous()})
    if class_names is not None:
        note = dict(version=1, class_names=list(class_names))
        state._metadata = OrderedDict(head=note)
    return dict(meta=dict(epoch=epoch, iter=0), state_dict=state)


def official_checkpoint(
    ctx: Tensor, epoch: int = 0, dtype: torch.dtype = torch.float32
) -> dict:
    """Put a context into the form that the original loads.

    Args:
        ctx (Tensor): (M, D) or (K, M, D).
        epoch (int): After which it was saved.
        dtype (torch.dtype): The original's runs have float16 or float32,
            by their ``PREC``.

    Returns:
        dict: For ``torch.save``.
    """
    return dict(
        state_dict=OrderedDict({KEY: ctx.to(dtype).contiguous()}),
        epoch=epoch,
        optimizer=None,
        scheduler=None,
        val_result=None,
    )


def _inert_globals(filename: str) -> list[tuple[Callable, str]]:
    """Pair what may be left out with what stands in for it."""
    try:
        names = torch.serialization.get_unsafe_globals_in_checkpoint(filename)
    except Exception:
        return []  # Reading it will say what is wrong.
    inert = [
        (type('Inert', (_Inert,), {}), name)
        for name in names
        if name.startswith(INERT)
    ]
    return [*inert, (_empty_dict, EMPTY_DICT)]


def _empty_dict(*args: Any) -> OrderedDict:
    """Stand in for the default dict of an optimiser, which is filled next."""
    return OrderedDict()
