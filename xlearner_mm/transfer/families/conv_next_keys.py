"""Names and layout of the weights of a ConvNeXt."""

import re
from collections.abc import Mapping

import torch
from torch import Tensor

_BLOCK = re.compile(r'stages\.(\d+)\.(\d+)\.(.+)')
_DOWNSAMPLE = re.compile(r'downsample_layers\.(\d+)\.(.+)')
_TORCHVISION = {'depthwise_conv.': 'block.0.', 'norm.': 'block.2.', 'pointwise_conv1.': 'block.3.',
                'pointwise_conv2.': 'block.5.', 'gamma': 'layer_scale'}
_TIMM = {'depthwise_conv.': 'conv_dw.', 'grn.gamma': 'mlp.grn.weight', 'grn.beta': 'mlp.grn.bias',
         'pointwise_conv1.': 'mlp.fc1.', 'pointwise_conv2.': 'mlp.fc2.'}


def torchvision_state(state: Mapping[str, Tensor], last: int) -> dict[str, Tensor]:
    """Name the weights of a ConvNeXt V1 as torchvision does.

    Args:
        state (Mapping[str, Tensor]): As mmpretrain names them.
        last (int): The last stage.

    Returns:
        dict[str, Tensor]: As torchvision names and lays them out, with a layer scale of 1 where there was none.
    """
    found: dict[str, Tensor] = {}
    for key, value in state.items():
        block, layer = _BLOCK.fullmatch(key), _DOWNSAMPLE.fullmatch(key)
        if block:
            place, rest = f'features.{2 * int(block[1]) + 1}.{block[2]}', _renamed(block[3], _TORCHVISION)
            if rest == 'block.0.weight':
                found.setdefault(f'{place}.layer_scale', torch.ones(len(value), 1, 1))
            found[f'{place}.{rest}'] = _laid_out(block[3], value)
        elif layer:
            found[f'features.{2 * int(layer[1])}.{layer[2]}'] = value
        elif key.startswith(f'norm{last}.'):
            found[key.replace(f'norm{last}', 'classifier.0')] = value
    return found


def timm_state(state: Mapping[str, Tensor], last: int) -> dict[str, Tensor]:
    """Name the weights of a ConvNeXt as timm does.

    Args:
        state (Mapping[str, Tensor]): As mmpretrain names them.
        last (int): The last stage.

    Returns:
        dict[str, Tensor]: As timm names them.
    """
    found = {}
    for key, value in state.items():
        block, layer = _BLOCK.fullmatch(key), _DOWNSAMPLE.fullmatch(key)
        if block:
            found[f'stages.{block[1]}.blocks.{block[2]}.{_renamed(block[3], _TIMM)}'] = value
        elif layer:
            found[f'stem.{layer[2]}' if layer[1] == '0' else f'stages.{layer[1]}.downsample.{layer[2]}'] = value
        elif key.startswith(f'norm{last}.'):
            found[key.replace(f'norm{last}', 'head.norm')] = value
    return found


def _renamed(rest: str, names: Mapping[str, str]) -> str:
    own = next((name for name in names if rest.startswith(name)), '')
    return names.get(own, '') + rest[len(own):]


def _laid_out(rest: str, value: Tensor) -> Tensor:
    """Lay out a weight of a block: torchvision scales maps, and has linear layers only."""
    if rest == 'gamma':
        return value[:, None, None]
    return value.flatten(1) if rest.startswith('pointwise_conv') and value.ndim == 4 else value
