"""Names of the weights of a vision transformer; mmpretrain's are those that all others are made from."""

import re
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

# Patterns of own names, and what they become.
_TO_MMSEG = ((r'^pre_norm\.', 'ln_pre.'), (r'\.attn\.qkv\.', '.attn.attn.in_proj_'),
             (r'\.attn\.proj\.', '.attn.attn.out_proj.'))
_FROM_MMSEG = ((r'^ln_pre\.', 'pre_norm.'), (r'\.attn\.attn\.in_proj_', '.attn.qkv.'),
               (r'\.attn\.attn\.out_proj\.', '.attn.proj.'))
_TORCHVISION = (
    (r'^cls_token$', 'class_token'), (r'^pos_embed$', 'encoder.pos_embedding'),
    (r'^patch_embed\.projection\.', 'conv_proj.'), (r'^ln1\.', 'encoder.ln.'),
    (r'^layers\.', 'encoder.layers.encoder_layer_'), (r'\.ln(\d)\.', r'.ln_\1.'),
    (r'\.attn\.qkv\.', '.self_attention.in_proj_'), (r'\.attn\.proj\.', '.self_attention.out_proj.'),
    (r'\.ffn\.layers\.0\.0\.', '.mlp.0.'), (r'\.ffn\.layers\.1\.', '.mlp.3.'))
_TIMM = (
    (r'^patch_embed\.projection\.', 'patch_embed.proj.'), (r'^pre_norm\.', 'norm_pre.'), (r'^ln1\.', 'norm.'),
    (r'^ln2\.', 'fc_norm.'), (r'^layers\.', 'blocks.'), (r'\.ln(\d)\.', r'.norm\1.'),
    (r'\.attn\.gamma1\.weight$', '.ls1.gamma'), (r'\.ffn\.gamma2\.weight$', '.ls2.gamma'),
    (r'\.ffn\.layers\.0\.0\.', '.mlp.fc1.'), (r'\.ffn\.layers\.1\.', '.mlp.fc2.'))


def from_mmseg(state: Mapping[str, Tensor], class_token: bool) -> dict[str, Tensor]:
    """Name the weights as mmpretrain does.

    Args:
        state (Mapping[str, Tensor]): As mmseg names them.
        class_token (bool): Whether the layers see a class token; mmseg keeps one anyhow.

    Returns:
        dict[str, Tensor]: As mmpretrain names them.
    """
    found = _renamed(state, _FROM_MMSEG)
    if not class_token:
        del found['cls_token']
        found['pos_embed'] = found['pos_embed'][:, 1:]
    return found


def to_mmseg(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Name the weights as mmseg does.

    Args:
        state (Mapping[str, Tensor]): As mmpretrain names them.

    Returns:
        dict[str, Tensor]: As mmseg names them; with a class token of zeros where there was none.
    """
    found = _renamed(state, _TO_MMSEG)
    if 'cls_token' not in found:
        found['cls_token'] = torch.zeros_like(found['pos_embed'][:, :1])
        found['pos_embed'] = torch.cat((found['cls_token'], found['pos_embed']), dim=1)
    return found


def torchvision_state(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Name the weights as torchvision does.

    Args:
        state (Mapping[str, Tensor]): As mmpretrain names them.

    Returns:
        dict[str, Tensor]: As torchvision names them.
    """
    return _renamed(_with_bias(state), _TORCHVISION)


def timm_state(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Name the weights as timm does.

    Args:
        state (Mapping[str, Tensor]): As mmpretrain names them.

    Returns:
        dict[str, Tensor]: As timm names them.
    """
    return _renamed(state if 'pre_norm.weight' in state else _with_bias(state), _TIMM)


def _with_bias(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Give the patch embedding a bias of zeros where it has none."""
    return {'patch_embed.projection.bias': torch.zeros(len(state['patch_embed.projection.weight'])), **state}


def _renamed(state: Mapping[str, Tensor], names: Sequence[tuple[str, str]]) -> dict[str, Tensor]:
    found = {}
    for key, value in state.items():
        for own, other in names:
            key = re.sub(own, other, key)
        found[key] = value
    return found
