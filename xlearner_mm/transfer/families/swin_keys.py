"""Names and layout of the weights of a Swin transformer (V1)."""

import re
from collections.abc import Iterator, Mapping
from typing import Optional

from torch import Tensor

_KEY = re.compile(r'(?:stages\.(\d+)\.(?:blocks\.(\d+)|downsample)\.)?(.+)')
_TORCHVISION = {'attn.w_msa.': 'attn.', 'ffn.layers.0.0.': 'mlp.0.', 'ffn.layers.1.': 'mlp.3.'}
_TIMM = {'attn.w_msa.': 'attn.', 'ffn.layers.0.0.': 'mlp.fc1.', 'ffn.layers.1.': 'mlp.fc2.'}


def torchvision_state(state: Mapping[str, Tensor], last: int) -> dict[str, Tensor]:
    """Name the weights as torchvision does.

    Args:
        state (Mapping[str, Tensor]): As OpenMMLab's libraries name them.
        last (int): The last stage.

    Returns:
        dict[str, Tensor]: As torchvision names and lays them out.
    """
    found = {}
    for stage, block, rest, value in _entries(state, last):
        if stage is None:
            rest = rest.replace('patch_embed.projection', 'features.0.0').replace('patch_embed.norm', 'features.0.2')
            found[rest] = value
        elif block is None:
            found[f'features.{2 * stage + 2}.{rest}'] = patch_major(value)
        else:
            flat = value.flatten() if rest.endswith('relative_position_index') else value
            found[f'features.{2 * stage + 1}.{block}.{_renamed(rest, _TORCHVISION)}'] = flat
    return found


def timm_state(state: Mapping[str, Tensor], last: int) -> dict[str, Tensor]:
    """Name the weights as timm does.

    Args:
        state (Mapping[str, Tensor]): As OpenMMLab's libraries name them.
        last (int): The last stage.

    Returns:
        dict[str, Tensor]: As timm names and lays them out; it merges patches where a stage begins.
    """
    found = {}
    for stage, block, rest, value in _entries(state, last):
        if stage is None:
            found[rest.replace('patch_embed.projection', 'patch_embed.proj')] = value
        elif block is None:
            found[f'layers.{stage + 1}.downsample.{rest}'] = patch_major(value)
        elif not rest.endswith('relative_position_index'):
            found[f'layers.{stage}.blocks.{block}.{_renamed(rest, _TIMM)}'] = value
    return found


def patch_major(value: Tensor) -> Tensor:
    """Put what a patch merging reads into the order of the paper's code.

    OpenMMLab's reads the four positions of a channel one after another, row by row; the others read all channels of a
    position one after another, column by column.

    Args:
        value (Tensor): Weights ``(..., C * 4)`` of its norm or linear layer.

    Returns:
        Tensor: ``(..., 4 * C)``.
    """
    channel_row_column = value.unflatten(-1, (-1, 2, 2))
    return channel_row_column.movedim(-3, -1).transpose(-3, -2).flatten(-3).contiguous()


def _entries(state: Mapping[str, Tensor], last: int) -> Iterator[tuple[Optional[int], Optional[int], str, Tensor]]:
    """Give stage, block, rest of the key and value of each weight; of the output norms only the last one."""
    for key, value in state.items():
        stage, block, rest = _KEY.fullmatch(key).groups()  # type: ignore[union-attr]
        norm = re.match(r'norm(\d+)\.', key)
        if norm is None or int(norm[1]) == last:
            yield (None if stage is None else int(stage), None if block is None else int(block),
                   rest if norm is None else re.sub(r'^norm\d+', 'norm', rest), value)


def _renamed(rest: str, names: Mapping[str, str]) -> str:
    for own, other in names.items():
        rest = rest.replace(own, other)
    return rest
