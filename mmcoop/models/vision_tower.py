"""An image tower of open_clip that stands alone, as exported ones do."""

import torch
from mmpretrain.models.backbones.base_backbone import BaseBackbone

# open_clip has no public way to an image tower without its text tower.
from open_clip.model import _build_vision_tower
from torch import Tensor, nn

from mmcoop.registry import MODELS


@MODELS.register_module()
class VisionTower(BaseBackbone):
    """An image tower with weights of its own.

    Unlike `CLIPVision` it loads no CLIP: it starts with random weights, and
    a checkpoint holds them all.

    Args:
        embed_dim (int): E, the width of the joint space.
        vision_cfg (dict): As in open_clip's model configs.
        quick_gelu (bool): Whether it computes with QuickGELU. Defaults to
            False.
    """

    def __init__(
        self, embed_dim: int, vision_cfg: dict, quick_gelu: bool = False
    ):
        super().__init__()
        # Weights are for the checkpoint to bring, not for timm to download.
        vision_cfg = dict(vision_cfg, timm_model_pretrained=False)
        self.visual = _build_vision_tower(embed_dim, vision_cfg, quick_gelu)

    def forward(self, x: Tensor) -> tuple[Tensor]:
        """Encode images.

        Args:
            x (Tensor): (N, 3, H, W) float32, RGB, normalised.

        Returns:
            tuple[Tensor]: (N, E) image features before normalisation.
        """
        features = self.visual(x)
        if isinstance(features, tuple):  # CoCa's tower adds its tokens
            features = features[0]
        return (features,)

    @torch.no_grad()
    def copy_weights(self, visual: nn.Module) -> None:
        """Take over the weights of a frozen tower.

        Args:
            visual (nn.Module): Of a :class:`CLIPVision`, of any precision.
                Its parameters are buffers that are not saved.

        Raises:
            ValueError: If the two are not built alike.
        """
        theirs, ours = _tensors(visual), _tensors(self.visual)
        differing = sorted(
            name
            for name in {*ours, *theirs}
            if name not in ours
            or name not in theirs
            or ours[name].shape != theirs[name].shape
        )
        if differing:
            raise ValueError(
                f'the image tower differs from its config in '
                f'{len(differing)} tensors, like {differing[0]}: it cannot '
                'be built without its CLIP.'
            )
        for name, tensor in ours.items():
            tensor.copy_(theirs[name])


def _tensors(module: nn.Module) -> dict[str, Tensor]:
    return {**dict(module.named_parameters()), **dict(module.named_buffers())}
