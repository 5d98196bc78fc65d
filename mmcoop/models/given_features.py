"""A backbone for image features that are there already."""

from mmpretrain.models.backbones.base_backbone import BaseBackbone
from torch import Tensor

from mmcoop.registry import MODELS


@MODELS.register_module()
class GivenFeatures(BaseBackbone):
    """Pass image features through, as `CachedFeatures` gives them."""

    def forward(self, x: Tensor) -> tuple[Tensor]:
        """Hand over features.

        Args:
            x (Tensor): (N, E) image features before normalisation.

        Returns:
            tuple[Tensor]: The same.

        Raises:
            ValueError: If these are no features.
        """
        if x.dim() != 2:
            raise ValueError(
                f'an input of shape {tuple(x.shape)} came in, but this model '
                'takes kept image features, (images, numbers). For images, '
                'use the config of the same name without _cached: a '
                'checkpoint works with both.'
            )
        return (x,)
