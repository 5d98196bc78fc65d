"""A classifier whose prompts will not change: what every format holds."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import open_clip
import torch
from torch import Tensor

from mmcoop.apis import Classifier
from mmcoop.apis.inference_config import test_pipeline
from mmcoop.models import CLIPVision, VisionTower
from mmcoop.models.clip import ASSETS, EMBEDDED, HF_HUB, LOCAL_DIR
from mmcoop.version import __version__


@dataclass(frozen=True)
class FixedClassifier:
    """Images to logits, without a text tower.

    ``logits = scale * cos(image_features, text_features) + bias``

    Attributes:
        source (Classifier): What it was made from, and is compared with.
        tower_cfg (dict): Config of ``tower``.
        tower (VisionTower): (N, 3, H, W) to (N, E), float32.
        text_features (Tensor): (K, E) float32, L2-normalised.
        scale (float): ``exp(logit_scale)`` of the CLIP, divided by the
            temperature that calibrates, so that the softmax of the logits
            are the source's scores.
        bias (float): Likewise; 0 for most CLIPs.
    """

    source: Classifier
    tower_cfg: dict
    tower: VisionTower
    text_features: Tensor
    scale: float
    bias: float

    def metadata(self) -> dict[str, Any]:
        """Say all that a user of an exported file has to know.

        Returns:
            dict[str, Any]: Plain values, that JSON can hold. ``mean`` and
            ``std`` are of R, G, B in 0 to 255; ``image_size`` is (height,
            width).
        """
        backbone = self.source.model.backbone
        encoder = self.source.model.head.text_encoder
        values = dict(
            mmcoop_version=__version__,
            class_names=list(self.source.class_names),
            mean=[255 * value for value in backbone.mean],
            std=[255 * value for value in backbone.std],
            channel_order='RGB',
            image_size=list(backbone.image_size),
            pipeline=test_pipeline(self.source.cfg),
            clip=backbone.clip,
            clip_fingerprint=encoder.fingerprint,
            scale=self.scale,
            bias=self.bias,
            temperature=self.source.temperature,
            rejection=self.source.rejection,
        )
        # Whatever reads it need not know mmengine's dicts.
        return json.loads(json.dumps(values))

    def metadata_strings(self) -> dict[str, str]:
        """As :meth:`metadata`, for files that hold strings alone.

        Returns:
            dict[str, str]: Each value as JSON; strings as they are.
        """
        return {
            name: value if isinstance(value, str) else json.dumps(value)
            for name, value in self.metadata().items()
        }


@torch.no_grad()
def fix(classifier: Classifier) -> FixedClassifier:
    """Compute the text features, and set the image tower apart.

    Args:
        classifier (Classifier): With a learned or a hand-written prompt.

    Returns:
        FixedClassifier: In float32, on the CPU.

    Raises:
        ValueError: If the image tower cannot be built without its CLIP.
    """
    model = classifier.model
    tower_cfg = _tower_cfg(model.backbone)
    tower = VisionTower(**tower_cfg)
    tower.copy_weights(model.backbone.visual)
    tower.requires_grad_(False).eval()
    encoder = model.head.text_encoder
    bias = encoder.logit_bias
    temperature = classifier.temperature
    return FixedClassifier(
        source=classifier,
        tower_cfg=dict(type='mmcoop.VisionTower', **tower_cfg),
        tower=tower,
        text_features=classifier.text_features.float().cpu(),
        scale=encoder.logit_scale.float().exp().item() / temperature,
        bias=0.0 if bias is None else bias.float().item() / temperature,
    )


def _tower_cfg(backbone: CLIPVision) -> dict:
    name = backbone.clip['name']
    if name.startswith(EMBEDDED):
        name = f'{LOCAL_DIR}{ASSETS / name[len(EMBEDDED) :]}'
    elif name.startswith(LOCAL_DIR):
        name = f'{LOCAL_DIR}{Path(name[len(LOCAL_DIR) :]).expanduser()}'
    elif not name.startswith(HF_HUB):
        name = name.replace('/', '-')
    cfg = open_clip.get_model_config(name)
    return dict(
        embed_dim=cfg['embed_dim'],
        vision_cfg=cfg['vision_cfg'],
        quick_gelu=cfg.get('quick_gelu', False),
    )
