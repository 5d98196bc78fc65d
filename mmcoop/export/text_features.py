"""The text features alone, for any other program that runs the CLIP."""

import json
from pathlib import Path

import torch.nn.functional as F
from safetensors import safe_open
from safetensors.torch import save
from torch import Tensor

from .fixed_classifier import FixedClassifier
from .verify import Verifier


def write_text_features(
    fixed: FixedClassifier, verifier: Verifier, path: Path, beside: Path
) -> float:
    """Write a .safetensors and a .json, and classify with what they hold.

    Args:
        fixed (FixedClassifier): What to export.
        verifier (Verifier): What to compare with.
        path (Path): To write: ``text_features``, (K, E) float32,
            L2-normalised, with the metadata as strings.
        beside (Path): To write: the metadata as JSON.

    Returns:
        float: The largest difference of a score.

    Raises:
        ExportError: If they give other scores.
    """
    features = fixed.text_features.contiguous()
    tensors = dict(text_features=features)
    path.write_bytes(save(tensors, fixed.metadata_strings()))
    metadata = fixed.metadata()
    text = json.dumps(metadata, indent=2, ensure_ascii=False)
    beside.write_text(text + '\n', encoding='utf-8')

    read = json.loads(beside.read_text(encoding='utf-8'))
    with safe_open(path, framework='pt') as file:
        text_features = file.get_tensor('text_features')

    def classify(images: Tensor) -> Tensor:
        image_features = F.normalize(fixed.tower(images)[0], dim=-1)
        return read['scale'] * image_features @ text_features.T + read['bias']

    return verifier.compare(path.name, classify)
