"""The small CLIP that the reference numbers were made with.

Its weights follow a rule instead of being stored, so that any implementation
can be held against the numbers that the original CoOp gave with them. The
rule: `numpy` draws a standard normal for every key of the OpenAI state dict
in sorted order, and the key's name says how it is scaled.
"""

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import open_clip
import torch

REFERENCE = Path(__file__).parent / 'coop_reference.npz'
CLASS_NAMES = [
    'dog',
    'hot_dog',
    'kite (bird of prey)',
    '2012 BMW M3 coupe',
    'Annual Crop Land',
    't-shirt',
    'a',
    'crème brûlée',
    'CD player',
    'black-footed albatross',
]
MODEL_CFG = dict(
    embed_dim=64,
    quick_gelu=True,
    vision_cfg=dict(
        image_size=32, layers=2, width=128, patch_size=8, head_width=64
    ),
    text_cfg=dict(
        context_length=77, vocab_size=49408, width=128, heads=2, layers=3
    ),
)


@dataclass(frozen=True)
class Case:
    """How the reference run of one case was set up."""

    name: str
    prompt_learner: dict

    @property
    def numbers(self) -> dict[str, np.ndarray]:
        return {
            key.split('/')[1]: value
            for key, value in _reference().items()
            if key.startswith(f'{self.name}/')
        }

    def inputs(self) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """The context, 18 images and 18 labels that the case starts from."""
        rng = np.random.Generator(np.random.PCG64(8))
        ctx = self.numbers['ctx0']
        if 'ctx_init' not in self.prompt_learner:
            drawn = (rng.standard_normal(ctx.shape) * 0.02).astype(np.float32)
            np.testing.assert_array_equal(drawn, ctx)
        images = rng.standard_normal((18, 3, 32, 32)).astype(np.float32)
        labels = rng.integers(0, 10, 18)
        return (
            torch.from_numpy(ctx),
            torch.from_numpy(images),
            torch.from_numpy(labels),
        )


CASES = [
    Case('unified_m4_end', dict(num_context=4)),
    Case('unified_m16_end', dict(num_context=16)),
    Case('csc_m4_end', dict(num_context=4, class_specific=True)),
    Case(
        'unified_m4_middle', dict(num_context=4, class_token_position='middle')
    ),
    Case(
        'unified_m4_front', dict(num_context=4, class_token_position='front')
    ),
    Case(
        'csc_m3_middle',
        dict(
            num_context=3, class_specific=True, class_token_position='middle'
        ),
    ),
    Case('words_end', dict(ctx_init='a photo of a')),
]


def write_golden_clip(folder: Path) -> None:
    """Write the model in open_clip's ``local-dir:`` form."""
    model = open_clip.CLIP(**MODEL_CFG)
    rng = np.random.Generator(np.random.PCG64(7))
    weights = {}
    state = model.state_dict()
    for key in sorted(state):
        shape = tuple(state[key].shape)
        if not shape:
            value = np.log(np.float32(100))
        else:
            z = rng.standard_normal(shape).astype(np.float32)
            value = _scale(key, z)
        weights[key] = torch.as_tensor(value, dtype=torch.float32)
    torch.save(weights, folder / 'open_clip_pytorch_model.bin')
    config = dict(model_cfg=MODEL_CFG, preprocess_cfg={})
    (folder / 'open_clip_config.json').write_text(json.dumps(config))


def _scale(key: str, z: np.ndarray) -> np.ndarray:
    if 'ln_' in key and key.endswith('weight'):
        return 1 + 0.1 * z
    if key.endswith('bias') or key == 'token_embedding.weight':
        return 0.02 * z
    if key in (
        'positional_embedding',
        'visual.positional_embedding',
        'visual.class_embedding',
    ):
        return 0.01 * z
    if key in ('text_projection', 'visual.proj'):
        return z / np.sqrt(z.shape[0])
    return z / np.sqrt(np.prod(z.shape[1:]))


@cache
def _reference() -> dict[str, np.ndarray]:
    with np.load(REFERENCE) as file:
        return dict(file)
