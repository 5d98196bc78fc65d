"""CLIP's image tower as mmpretrain's own backbone and neck."""

from open_clip.transformer import (
    QuickGELU,
    ResidualAttentionBlock,
    VisionTransformer,
)
from torch import Tensor, nn

# From open_clip's names to mmpretrain's, of a block and of the rest
BLOCK = {
    'ln_1.weight': 'ln1.weight',
    'ln_1.bias': 'ln1.bias',
    'attn.in_proj_weight': 'attn.qkv.weight',
    'attn.in_proj_bias': 'attn.qkv.bias',
    'attn.out_proj.weight': 'attn.proj.weight',
    'attn.out_proj.bias': 'attn.proj.bias',
    'ln_2.weight': 'ln2.weight',
    'ln_2.bias': 'ln2.bias',
    'mlp.c_fc.weight': 'ffn.layers.0.0.weight',
    'mlp.c_fc.bias': 'ffn.layers.0.0.bias',
    'mlp.c_proj.weight': 'ffn.layers.1.weight',
    'mlp.c_proj.bias': 'ffn.layers.1.bias',
}
REST = {
    'conv1.weight': 'patch_embed.projection.weight',
    'class_embedding': 'cls_token',
    'positional_embedding': 'pos_embed',
    'ln_pre.weight': 'pre_norm.weight',
    'ln_pre.bias': 'pre_norm.bias',
    'ln_post.weight': 'ln1.weight',
    'ln_post.bias': 'ln1.bias',
}


def why_not(visual: nn.Module) -> str | None:
    """Say what of an image tower mmpretrain's backbones lack.

    Args:
        visual (nn.Module): An image tower of open_clip.

    Returns:
        str | None: The reason; None if mmpretrain's `VisionTransformer`
        computes the same.
    """
    kind = type(visual).__name__
    if kind == 'ModifiedResNet':
        return (
            "CLIP's ResNet pools by attention and strides by average "
            "pooling, which mmpretrain's ResNet does not"
        )
    if type(visual) is not VisionTransformer:
        return f'the image tower is a {kind}, which mmpretrain lacks'
    if visual.attn_pool is not None or visual.pool_type != 'tok':
        return 'the tower does not pool by its class token'
    blocks = visual.transformer.resblocks
    if any(type(block) is not ResidualAttentionBlock for block in blocks):
        return f'the tower has {type(blocks[0]).__name__}s'
    if not isinstance(blocks[0].ls_1, nn.Identity):
        return 'the tower scales its layers'
    if not isinstance(blocks[0].mlp.gelu, QuickGELU | nn.GELU):
        return f'the tower has {type(blocks[0].mlp.gelu).__name__}s'
    pairs = zip(visual.image_size, visual.patch_size, strict=True)
    if any(size % patch for size, patch in pairs):
        return 'its patches do not fill the image, and mmpretrain would pad'
    return None


def backbone_and_neck(visual: nn.Module) -> dict[str, dict]:
    """Describe a tower in mmpretrain's words.

    Args:
        visual (nn.Module): One for which :func:`why_not` gives None.

    Returns:
        dict[str, dict]: Configs of ``backbone`` and ``neck``; the neck is
        the projection into the joint space.
    """
    block = visual.transformer.resblocks[0]
    width, embed_dim = visual.proj.shape
    gelu = block.mlp.gelu
    act = (
        dict(type='mmpretrain.QuickGELU')
        if isinstance(gelu, QuickGELU)
        else dict(type='GELU', approximate=gelu.approximate)
    )
    backbone = dict(
        type='VisionTransformer',
        arch=dict(
            embed_dims=width,
            num_layers=len(visual.transformer.resblocks),
            num_heads=block.attn.num_heads,
            feedforward_channels=block.mlp.c_fc.out_features,
        ),
        img_size=tuple(visual.image_size),
        patch_size=tuple(visual.patch_size),
        patch_cfg=dict(bias=False),
        pre_norm=not isinstance(visual.ln_pre, nn.Identity),
        norm_cfg=dict(type='LN', eps=visual.ln_post.eps),
        layer_cfgs=dict(act_cfg=act),
    )
    neck = dict(
        type='LinearNeck',
        in_channels=width,
        out_channels=embed_dim,
        norm_cfg=None,
    )
    return dict(backbone=backbone, neck=neck)


def convert_weights(visual: nn.Module) -> dict[str, Tensor]:
    """Rename a tower's weights.

    Args:
        visual (nn.Module): One for which :func:`why_not` gives None.

    Returns:
        dict[str, Tensor]: State of the classifier's ``backbone.`` and
        ``neck.``.
    """
    theirs = visual.state_dict()
    state = {
        f'backbone.{ours}': theirs[name]
        for name, ours in REST.items()
        if name in theirs
    }
    for index in range(len(visual.transformer.resblocks)):
        for name, ours in BLOCK.items():
            tensor = theirs[f'transformer.resblocks.{index}.{name}']
            state[f'backbone.layers.{index}.{ours}'] = tensor
    for name in ('cls_token', 'pos_embed'):
        tensor = state[f'backbone.{name}']
        state[f'backbone.{name}'] = tensor.reshape(1, -1, tensor.shape[-1])
    # `proj` multiplies from the right, and has no bias; the neck has one.
    state['neck.fc.weight'] = theirs['proj'].T.contiguous()
    state['neck.fc.bias'] = theirs['proj'].new_zeros(theirs['proj'].shape[1])
    return state
