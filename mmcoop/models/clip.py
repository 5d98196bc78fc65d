"""Load a CLIP once, check it, freeze it; its image tower as a backbone.

Nothing else loads a model of open_clip's; what is exported builds an image
tower of its own (`vision_tower.py`).
"""

import difflib
import hashlib
import json
import os
import socket
import urllib.request
from collections.abc import Callable
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import huggingface_hub
import open_clip
import torch
from mmengine.logging import print_log
from mmpretrain.models.backbones.base_backbone import BaseBackbone
from mmpretrain.models.utils import ClsDataPreprocessor
from open_clip.pretrained import get_pretrained_cfg
from open_clip.transformer import ResidualAttentionBlock, TextTransformer
from torch import Tensor, nn
from torch.nn.modules.module import register_module_module_registration_hook

from mmcoop.registry import MODELS

from .text_encoder import TextEncoder

IMAGENET_CLASS_NAMES = open_clip.IMAGENET_CLASSNAMES
# The 80 templates of CLIP's authors, and the 7 that do best on ImageNet.
OPENAI_TEMPLATES = tuple(t('{}') for t in open_clip.OPENAI_IMAGENET_TEMPLATES)
SIMPLE_TEMPLATES = tuple(t('{}') for t in open_clip.SIMPLE_IMAGENET_TEMPLATES)

ASSETS = Path(__file__).parent.parent / 'assets'
EMBEDDED = 'embedded:'
LOCAL_DIR = 'local-dir:'
HF_HUB = 'hf-hub:'
PRECISIONS = ('fp32', 'fp16', 'bf16')
WEIGHT_FILES = ('.safetensors', '.bin', '.pth', '.pt', '.npz')

# The tower that was loaded beside one that somebody took, until the other is
# asked for: a backbone and a head of one config share one load.
_waiting: dict[str, dict[str, nn.Module]] = {}


@MODELS.register_module()
class CLIPVision(BaseBackbone):
    """The image tower of a CLIP, frozen.

    Args:
        clip (dict): Which CLIP. ``name``: what open_clip takes (a model
            name, ``hf-hub:…``, ``local-dir:FOLDER``) or
            ``embedded:tiny_clip``, which ships with mmcoop.
            ``pretrained``: a tag or a file of weights; None leaves them
            random. ``precision``: 'fp32' (default), 'fp16' or 'bf16'.
        image_gradient (bool): Whether layers pass a gradient to the image,
            as GradCAM and its kind ask for. Training needs none, and is
            faster without.

    Attributes:
        image_size (tuple[int, int]): Height and width that it takes.
        mean (tuple[float]): Of the input's channels, R, G, B, in 0..1.
        std (tuple[float]): Likewise.

    Raises:
        ValueError: If the CLIP is unknown, or its activation is not the one
            that the weights were trained with.
        FileNotFoundError: If a folder or file of weights is missing.
        ConnectionError: If weights must be downloaded and cannot be.
    """

    # By these mmpretrain's tools name the outputs: here the one feature
    out_indices = (0,)

    def __init__(self, clip: dict, image_gradient: bool = False):
        super().__init__()
        self.clip = dict(clip)
        self.image_gradient = image_gradient
        self.visual = _take(clip, 'image')
        size = self.visual.image_size
        self.image_size = (
            (size, size) if isinstance(size, int) else tuple(size)
        )
        self.mean = tuple(self.visual.preprocess_cfg['mean'])
        self.std = tuple(self.visual.preprocess_cfg['std'])

    def forward(self, x: Tensor) -> tuple[Tensor]:
        """Encode images.

        Args:
            x (Tensor): (N, 3, H, W), RGB, normalised with CLIP's mean and
                standard deviation.

        Returns:
            tuple[Tensor]: (N, E) image features before normalisation.

        Raises:
            ValueError: If the size is not the model's.
        """
        if tuple(x.shape[-2:]) != self.image_size:
            raise ValueError(
                f'images of {x.shape[-2]} x {x.shape[-1]} pixels came in, but '
                f'{self.clip["name"]} takes {self.image_size[0]} x '
                f'{self.image_size[1]}: set that size in the transforms of '
                'the pipeline (RandomResizedCrop, CenterCrop).'
            )
        if self.image_gradient and not x.requires_grad:
            # No weight asks for a gradient: without this no layer has one.
            x = x.detach().requires_grad_()
        features = self.visual(x.to(_dtype(self.visual)))
        if isinstance(features, tuple):  # CoCa's tower adds its tokens
            features = features[0]
        return (features,)

    def train(self, mode: bool = True) -> 'CLIPVision':
        """Stay in eval mode, BatchNorm included: the tower is frozen."""
        super().train(False)
        return self

    def init_weights(self) -> None:
        """Keep the loaded weights (mmengine calls this before training)."""

    def check_preprocessor(self, preprocessor: ClsDataPreprocessor) -> None:
        """Compare a data preprocessor with what the tower was trained on.

        Args:
            preprocessor (ClsDataPreprocessor): Of the model around it.

        Raises:
            ValueError: If it differs.
        """
        wanted = dict(
            mean=[255 * value for value in self.mean],
            std=[255 * value for value in self.std],
            to_rgb=True,
        )
        received = {
            name: None if values is None else values.flatten().tolist()
            for name in ('mean', 'std')
            for values in [getattr(preprocessor, name, None)]
        }
        received['to_rgb'] = preprocessor.to_rgb
        wrong = ', '.join(
            f'{name}={value}'
            for name, value in received.items()
            if not _is_close(value, wanted[name])
        )
        if wrong:
            right = ', '.join(f'{name}={v}' for name, v in wanted.items())
            raise ValueError(
                f'data_preprocessor has {wrong}, but {self.clip["name"]} was '
                'trained with other input, and would lose accuracy without a '
                f'word. Set data_preprocessor=dict({right}).'
            )


def _check_neighbour(parent: nn.Module, name: str, child: nn.Module) -> None:
    """Check the data preprocessor of the model that a tower goes into.

    torch calls this for every module put into another: the one moment at
    which a backbone and what stands beside it meet, whoever builds them.
    """
    if isinstance(child, CLIPVision):
        preprocessor = getattr(parent, 'data_preprocessor', None)
        if isinstance(preprocessor, ClsDataPreprocessor):
            child.check_preprocessor(preprocessor)


register_module_module_registration_hook(_check_neighbour)


def text_encoder(clip: dict) -> TextEncoder:
    """The text tower of a CLIP, frozen.

    Args:
        clip (dict): See :class:`CLIPVision`, whose load it shares.

    Returns:
        TextEncoder: On the CPU.
    """
    return _take(clip, 'text')


def freeze(module: nn.Module) -> None:
    """Turn parameters into buffers that are not saved.

    That keeps them out of everything that goes over a model's parameters or
    state: gradients, optimisers, DDP's buckets, checkpoints (both ways).
    They still move with ``.to()``.

    Args:
        module (nn.Module): Changed in place, and put into eval mode.
    """
    for part in module.modules():
        for name, parameter in list(part._parameters.items()):
            if parameter is not None:
                delattr(part, name)
                part.register_buffer(name, parameter.detach())
        part._non_persistent_buffers_set.update(part._buffers)
    module.eval()


def _take(clip: dict, which: str) -> nn.Module:
    spec = _check_spec(clip)
    key = json.dumps([spec, str(torch.get_default_device())])
    towers = _waiting.pop(key, {})
    if which not in towers:
        _waiting.clear()
        towers = _load(**spec)
    tower = towers.pop(which)
    if towers:
        _waiting[key] = towers
    return tower


def _check_spec(clip: dict) -> dict:
    allowed = ('name', 'pretrained', 'precision')
    unknown = sorted(set(clip) - set(allowed))
    if unknown or not isinstance(clip.get('name'), str):
        raise ValueError(
            f'clip is {dict(clip)}: give dict(name=…, pretrained=…), like '
            "dict(name='ViT-B-16-quickgelu', pretrained='openai'); the keys "
            f'are {", ".join(allowed)}.'
        )
    precision = clip.get('precision', 'fp32')
    if precision not in PRECISIONS:
        raise ValueError(
            f'the precision of clip is {precision!r}: choose '
            f'one of {", ".join(map(repr, PRECISIONS))}.'
        )
    return dict(
        name=clip['name'],
        pretrained=clip.get('pretrained') or None,
        precision=precision,
    )


def _load(
    name: str, pretrained: str | None, precision: str
) -> dict[str, nn.Module]:
    """Load a CLIP and take it apart.

    Returns:
        dict[str, nn.Module]: The frozen towers, 'image' and 'text'.
    """
    source = _local_dir(name)
    if source is not None:
        _check_local_dir(name, source, pretrained)
        source = f'{LOCAL_DIR}{source}'
    elif name.startswith(HF_HUB):
        _check_reachable(
            name,
            huggingface_hub.constants.ENDPOINT,
            _is_cached(name[len(HF_HUB) :]),
        )
        source = name
    else:
        source = name.replace('/', '-')
        _check_name(name, source)
        if pretrained is None:
            print_log(
                f'{name} has random weights, since clip has no `pretrained`: '
                'good for trying things out, and nothing else.',
                logger='current',
            )
        else:
            _check_pretrained(source, pretrained)
    model_cfg = open_clip.get_model_config(source) or {}
    hugging_face = model_cfg.get('text_cfg', {}).get('hf_model_name')
    if hugging_face:
        raise ValueError(
            f'{name} is not supported: its text tower is {hugging_face} of '
            'Hugging Face, whose prompts mmcoop cannot build. Choose a CLIP '
            "with open_clip's own text tower, like 'ViT-B-16-quickgelu'."
        )
    tokenizer = model_cfg.get('text_cfg', {}).get('tokenizer_kwargs') or {}
    if tokenizer.get('trust_remote_code'):
        raise ValueError(
            f'{name} is refused: its open_clip_config.json has '
            'trust_remote_code, which runs code that comes with the '
            'tokenizer. Nothing was run. If you know where it comes from, '
            'take that line out, if the tokenizer does without.'
        )
    try:
        model = open_clip.create_model(
            source,
            pretrained=pretrained,
            precision=precision,
            device=torch.get_default_device(),
        )
    except ImportError as error:
        raise ImportError(
            f'{name} needs a package that is not installed: {error}'
        ) from error
    visual = model.visual
    del model.visual
    text = _build_text_encoder(model, partial(_tokenizer, source), name)
    freeze(visual)
    freeze(text)
    return dict(image=visual, text=text)


def _tokenizer(source: str) -> Callable:
    """Load the tokenizer of a model; some come from the hub."""
    try:
        return open_clip.get_tokenizer(source)
    except (ImportError, OSError) as error:
        raise type(error)(
            f'the tokenizer of {source} cannot be loaded: {error} '
            '(`pip install transformers sentencepiece`, and a network once).'
        ) from error


def _build_text_encoder(
    model: nn.Module, load_tokenizer: Callable, name: str
) -> TextEncoder:
    if hasattr(model, 'text_decoder'):  # CoCa's captions are not needed
        del model.text_decoder
    tower = getattr(model, 'text', model)
    positions = getattr(tower, 'positional_embedding', None)
    fingerprint = ''
    if positions is not None and not positions.is_meta:
        values = positions.detach().float().cpu().numpy()
        digest = hashlib.sha256(values.tobytes())
        fingerprint = digest.hexdigest()[:16]
    return TextEncoder(
        model,
        load_tokenizer,
        tower,
        context_length=model.context_length,
        embed_dim=_embed_dim(tower),
        plain_because=_why_plain(model, tower),
        name=name,
        fingerprint=fingerprint,
    )


def _embed_dim(tower: nn.Module) -> int:
    projection = getattr(tower, 'text_projection', None)
    if projection is None:
        return getattr(tower, 'output_dim', None) or tower.width
    if isinstance(projection, nn.Linear):
        return projection.out_features
    return projection.shape[1]


def _why_plain(model: nn.Module, tower: nn.Module) -> str | None:
    """Why a tower's prompts cannot be packed; None if they can."""
    if not isinstance(tower, (open_clip.CLIP, TextTransformer)):
        return f'its text tower is a {type(tower).__name__}'
    if getattr(tower, 'cls_emb', None) is not None:
        return 'it adds a token at the end'
    mask = tower.attn_mask
    if mask is None or getattr(tower, 'use_pad_mask', False):
        return 'its text tower is not causal'
    pool = getattr(tower, 'pool_type', getattr(tower, 'text_pool_type', ''))
    if pool not in ('argmax', 'eos'):
        return f'it pools with {pool!r}, not at [EOS]'
    blocks = tower.transformer.resblocks
    if any(type(block) is not ResidualAttentionBlock for block in blocks):
        return f'its text tower has {type(blocks[0]).__name__}s'
    return None


def _local_dir(name: str) -> Path | None:
    if name.startswith(EMBEDDED):
        return ASSETS / name[len(EMBEDDED) :]
    if name.startswith(LOCAL_DIR):
        return Path(name[len(LOCAL_DIR) :]).expanduser()
    return None


def _check_local_dir(name: str, folder: Path, pretrained: str | None) -> None:
    if pretrained:
        raise ValueError(
            f'clip has name={name!r} and pretrained={pretrained!r}: a folder '
            'brings its own weights. Leave `pretrained` out.'
        )
    if not folder.is_dir():
        raise FileNotFoundError(
            f'clip has name={name!r}, but there is no folder '
            f'{folder.absolute()}: give one that open_clip has saved.'
        )
    if not (folder / 'open_clip_config.json').is_file():
        raise FileNotFoundError(
            f'{folder.absolute()} has no open_clip_config.json: give a '
            'folder that open_clip has saved.'
        )
    if not any(file.suffix in WEIGHT_FILES for file in folder.iterdir()):
        raise FileNotFoundError(
            f'{folder.absolute()} has no weights '
            f'({", ".join("*" + s for s in WEIGHT_FILES[:3])}) beside its '
            'open_clip_config.json, and would be used with random ones.'
        )


def _check_name(name: str, source: str) -> None:
    names = open_clip.list_models()
    if source not in names:
        near = difflib.get_close_matches(source, names, n=4, cutoff=0.5)
        raise ValueError(
            f'open_clip has no model {name!r}. '
            f'Near it: {", ".join(near) or "none"}. '
            '`open_clip.list_models()` lists all; a folder is '
            f"'{LOCAL_DIR}FOLDER', a model on the hub '{HF_HUB}ORG/NAME'."
        )


def _check_pretrained(name: str, pretrained: str) -> None:
    config = get_pretrained_cfg(name, pretrained)
    if not config:
        if os.path.isfile(os.path.expanduser(pretrained)):
            return
        tags = open_clip.list_pretrained_tags_by_model(name)
        near = difflib.get_close_matches(pretrained, tags, n=4, cutoff=0.4)
        raise ValueError(
            f'pretrained={pretrained!r} is neither a tag of {name} nor a '
            f'file at {Path(pretrained).expanduser().absolute()}. Near it: '
            f'{", ".join(near) or "none"}; all tags: {", ".join(tags)}.'
        )
    _check_activation(name, pretrained, config)
    repo, file = os.path.split(config.get('hf_hub', ''))
    if repo:
        _check_reachable(
            f'{name} with {pretrained!r} weights',
            huggingface_hub.constants.ENDPOINT,
            _is_cached(repo, file),
        )
    elif config.get('url'):
        cached = Path('~/.cache/clip').expanduser() / os.path.basename(
            config['url']
        )
        _check_reachable(
            f'{name} with {pretrained!r} weights',
            config['url'],
            cached.is_file(),
        )


def _check_activation(name: str, pretrained: str, config: dict) -> None:
    quick = bool(open_clip.get_model_config(name).get('quick_gelu', False))
    wanted = bool(config.get('quick_gelu', False))
    if quick == wanted:
        return
    kinds = {True: 'QuickGELU', False: 'GELU'}
    right = f'{name}-quickgelu' if wanted else name.removesuffix('-quickgelu')
    advice = f'Use name={right!r}.'
    if right not in open_clip.list_models():
        advice = 'open_clip has no such model; choose another tag.'
    raise ValueError(
        f'{name} computes with {kinds[quick]}, but the weights '
        f'{pretrained!r} were trained with {kinds[wanted]}, and would lose '
        f'accuracy without a word. {advice}'
    )


def _is_cached(repo: str, file: str = '') -> bool:
    """Whether the hub's cache has weights of a repository."""
    names = (
        'open_clip_model.safetensors',
        'open_clip_pytorch_model.bin',
        'open_clip_pytorch_model.safetensors',
        file,
    )
    return any(
        isinstance(huggingface_hub.try_to_load_from_cache(repo, name), str)
        for name in names
        if name
    )


def _check_reachable(what: str, url: str, cached: bool) -> None:
    """Fail at once without a network, not after a minute of retries."""
    if cached or urllib.request.getproxies():
        return
    parts = urlsplit(url)
    host = parts.hostname
    port = parts.port or (80 if parts.scheme == 'http' else 443)
    why = 'HF_HUB_OFFLINE is set'
    if not huggingface_hub.constants.HF_HUB_OFFLINE:
        try:
            socket.create_connection((host, port), timeout=5).close()
            return
        except OSError as error:
            why = f'{host} cannot be reached ({error})'
    raise ConnectionError(
        f'{what} must be downloaded, but {why}, and it is not in the cache '
        f'({huggingface_hub.constants.HF_HUB_CACHE}). Run once with a '
        'network, copy that cache from a machine that has it, or give a '
        'file: clip=dict(name=…, pretrained=FILE).'
    )


def _dtype(visual: nn.Module) -> torch.dtype:
    # Of the weights: norms and tokens stay float32 in a half-precision tower.
    # Every tower that open_clip has starts with a convolution.
    return next(b.dtype for b in visual.buffers() if b.dim() == 4)


def _is_close(received, wanted) -> bool:
    if isinstance(wanted, bool):
        return received is wanted
    if received is None or len(received) != len(wanted):
        return False
    return all(
        abs(a - b) < 0.01 for a, b in zip(received, wanted, strict=True)
    )
