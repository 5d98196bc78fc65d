"""A model on several processes that do not learn."""

from typing import Any

from mmengine.registry import MODEL_WRAPPERS
from torch import nn


@MODEL_WRAPPERS.register_module()
class ForwardOnly(nn.Module):
    """Stand where mmengine expects a distributed model, and only pass on.

    `DistributedDataParallel` exchanges gradients, and so refuses a model
    that has nothing to learn, as with hand-written prompts. An evaluation
    exchanges nothing but results, which mmengine's metrics do.

    Args:
        module (nn.Module): The model, one copy per process.
    """

    def __init__(self, *, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Call the model."""
        return self.module(*args, **kwargs)

    def val_step(self, data: dict | list | tuple) -> list:
        """Predict a batch, as mmengine's validation loop asks for."""
        return self.module.val_step(data)

    def test_step(self, data: dict | list | tuple) -> list:
        """Predict a batch, as mmengine's test loop asks for."""
        return self.module.test_step(data)
