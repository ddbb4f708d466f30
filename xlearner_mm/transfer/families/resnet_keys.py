"""Names of the weights of a ResNet; mmdet's and mmseg's are those that all others are made from."""

import re
from collections.abc import Collection, Mapping

from torch import Tensor

_SHORTCUT = re.compile(r'layer(\d+)\.0\.downsample\.(\d+)\.(.+)')


def from_mmpretrain(state: Mapping[str, Tensor], unpooled: Collection[int]) -> dict[str, Tensor]:
    """Name the weights as mmdet and mmseg do.

    Args:
        state (Mapping[str, Tensor]): As mmpretrain names them: the layers of a deep stem by pairs.
        unpooled (Collection[int]): Layers, counted from 1, whose shortcut begins with a pooling, but not in mmpretrain.

    Returns:
        dict[str, Tensor]: As mmdet and mmseg name them.
    """
    return {re.sub(r'^stem\.(\d)\.(conv|bn)\.', lambda m: f'stem.{3 * int(m[1]) + (m[2] == "bn")}.',
                   _moved(key, unpooled, 1)): value for key, value in state.items()}


def to_mmpretrain(state: Mapping[str, Tensor], unpooled: Collection[int]) -> dict[str, Tensor]:
    """Name the weights as mmpretrain does.

    Args:
        state (Mapping[str, Tensor]): As mmdet and mmseg name them.
        unpooled (Collection[int]): Layers, counted from 1, whose shortcut begins with a pooling, but not in mmpretrain.

    Returns:
        dict[str, Tensor]: As mmpretrain names them.
    """
    return {re.sub(r'^stem\.(\d)\.', lambda m: f'stem.{int(m[1]) // 3}.{("conv", "bn")[int(m[1]) % 3]}.',
                   _moved(key, unpooled, -1)): value for key, value in state.items()}


def timm_state(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Name the weights as timm does.

    Args:
        state (Mapping[str, Tensor]): As mmdet and mmseg name them.

    Returns:
        dict[str, Tensor]: As timm does: the deep stem is ``conv1``, its last norm ``bn1``.
    """
    names = ((r'^stem\.7\.', 'bn1.'), (r'^stem\.', 'conv1.'), (r'\.se_layer\.conv(\d)\.conv\.', r'.se.fc\1.'))
    found = {}
    for key, value in state.items():
        for own, other in names:
            key = re.sub(own, other, key)
        found[key] = value
    return found


def _moved(key: str, layers: Collection[int], by: int) -> str:
    """Count the modules of some shortcuts with their pooling, or without."""
    shortcut = _SHORTCUT.fullmatch(key)
    if shortcut is None or int(shortcut[1]) not in layers:
        return key
    return f'layer{shortcut[1]}.0.downsample.{int(shortcut[2]) + by}.{shortcut[3]}'
