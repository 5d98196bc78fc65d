"""Classes shared out over ranks: each encodes its share, all get all."""

import itertools

import torch
import torch.distributed as dist
from torch import Tensor


def share_bounds(num_classes: int) -> list[tuple[int, int]]:
    """Cut classes into as many shares as there are ranks.

    Args:
        num_classes (int): K.

    Returns:
        list[tuple[int, int]]: First class and the one after the last, for
        each rank. Sizes differ by one at most; with fewer classes than
        ranks some are empty.
    """
    W = dist.get_world_size() if dist.is_initialized() else 1
    cuts = [num_classes * rank // W for rank in range(W + 1)]
    return list(itertools.pairwise(cuts))


def gather_shares(features: Tensor, num_classes: int) -> Tensor:
    """Bring the shares of all ranks together, with a gradient.

    The gradient of a share is the sum of what all ranks' losses say of it.
    DDP divides by the number of ranks afterwards, as it does for the mean of
    their losses, so the result is that of one process.

    Args:
        features (Tensor): (K_rank, E), this rank's share.
        num_classes (int): K.

    Returns:
        Tensor: (K, E), the same on every rank.
    """
    bounds = share_bounds(num_classes)
    if len(bounds) == 1:
        return features
    return _Gather.apply(features, bounds)


class _Gather(torch.autograd.Function):
    @staticmethod
    def forward(ctx, features, bounds):
        ctx.bounds = bounds
        # Every rank must send as much as the others: pad to the largest.
        largest = max(stop - start for start, stop in bounds)
        padded = features.new_zeros(largest, features.shape[1])
        padded[: len(features)] = features
        received = [torch.empty_like(padded) for _ in bounds]
        dist.all_gather(received, padded)
        return torch.cat(
            [
                part[: stop - start]
                for part, (start, stop) in zip(received, bounds, strict=True)
            ]
        )

    @staticmethod
    def backward(ctx, grad):
        grad = grad.contiguous()
        dist.all_reduce(grad)
        start, stop = ctx.bounds[dist.get_rank()]
        return grad[start:stop], None
