"""A checkpoint and config of a classifier with a fixed linear head.

The head is mmpretrain's `ArcFaceClsHead`, which in evaluation is what CLIP
is: a scaled cosine similarity. Where mmpretrain's own backbone can carry the
image tower, nothing of mmcoop is left.
"""

from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.runner import load_checkpoint
from mmpretrain.models import ImageClassifier
from mmpretrain.registry import MODELS

from mmcoop.apis import parse_config
from mmcoop.version import __version__

from .evaluation_config import evaluation_config, names_mmcoop
from .fixed_classifier import FixedClassifier
from .mmpretrain_weights import backbone_and_neck, convert_weights, why_not
from .verify import Verifier

HEADER = '''"""{count} classes with a fixed linear head; {note}.

    python tools/test.py {config} {checkpoint}

Exported by mmcoop {version}.
"""

'''


def write_linear(
    fixed: FixedClassifier,
    verifier: Verifier,
    checkpoint: Path,
    config: Path,
    test_data: bool,
) -> tuple[float, str]:
    """Write both files, and compare what they make with the original.

    Args:
        fixed (FixedClassifier): What to export.
        verifier (Verifier): What to compare with.
        checkpoint (Path): To write.
        config (Path): To write.
        test_data (bool): Whether the test data of the training are of these
            classes, and stay in the config.

    Returns:
        tuple[float, str]: The largest difference of a score, and what the
        files need.

    Raises:
        ExportError: If they make something else.
    """
    visual = fixed.tower.visual
    lacking = why_not(visual)
    if lacking is None:
        parts = backbone_and_neck(visual)
        state = convert_weights(visual)
        note = 'runs with mmpretrain alone'
    else:
        parts = dict(backbone=fixed.tower_cfg)
        state = {
            f'backbone.{name}': tensor
            for name, tensor in fixed.tower.state_dict().items()
        }
        note = f'needs mmcoop: {lacking}'
    state['head.norm_product.weight'] = fixed.text_features
    metadata = fixed.metadata()
    cfg = dict(
        default_scope='mmpretrain',
        model=_model(fixed, parts, metadata),
        **evaluation_config(fixed.source, test_data),
    )
    if names_mmcoop(cfg):
        # Where only the test data are mmcoop's, all else works without it.
        cfg['custom_imports'] = dict(
            imports=['mmcoop'], allow_failed_imports=lacking is None
        )
    text = Config(cfg).pretty_text
    # A config is run, and parts of this one may come from a checkpoint.
    parse_config(text)
    header = HEADER.format(
        count=len(metadata['class_names']),
        version=__version__,
        config=config.name,
        checkpoint=checkpoint.name,
        note=note,
    )
    config.write_text(header + text, encoding='utf-8')
    meta = dict(
        dataset_meta=dict(classes=tuple(metadata['class_names'])),
        cfg=text,
        mmcoop=metadata,
    )
    torch.save(dict(meta=meta, state_dict=state), checkpoint)
    model = _read(config, checkpoint)
    # The head has no bias, and needs none: one that all classes share
    # changes no score.
    difference = verifier.compare(
        'the linear classifier', lambda images: model(images) + fixed.bias
    )
    return difference, note


def _read(config: Path, checkpoint: Path) -> ImageClassifier:
    model = Config.fromfile(config).model
    model = MODELS.build(dict(model, _scope_='mmpretrain'))
    load_checkpoint(
        model, str(checkpoint), 'cpu', strict=True, logger='silent'
    )
    return model.eval()


def _model(fixed: FixedClassifier, parts: dict, metadata: dict) -> dict:
    num_classes, embed_dim = fixed.text_features.shape
    return dict(
        type='ImageClassifier',
        data_preprocessor=dict(
            num_classes=num_classes,
            mean=metadata['mean'],
            std=metadata['std'],
            to_rgb=True,
        ),
        **parts,
        head=dict(
            type='ArcFaceClsHead',
            num_classes=num_classes,
            in_channels=embed_dim,
            scale=fixed.scale,
            margins=0.0,
        ),
    )
