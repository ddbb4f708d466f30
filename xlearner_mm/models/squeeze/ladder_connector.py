"""A connector that reads several levels."""

from collections.abc import Mapping, Sequence
from typing import Any, Optional

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule, ModuleList
from torch import Tensor

from xlearner_mm.registry import MODELS


@MODELS.register_module()
class LadderConnector(BaseModule):
    """A connector for the compared level and each one before it, summed (idea: arXiv 2408.05088; ours in detail).

    What a teacher knows of textures and edges may then stay in the student's early levels. Dropped at export.

    Args:
        in_channels (Sequence[int]): Widths of the student's levels, the compared one last.
        out_channels (int): Width of the teacher's level.
        connector (dict, optional): Config of the single connectors; :class:`LinearConnector` by default.

    Raises:
        TypeError: If that is no config with a type.
    """

    def __init__(self,
                 in_channels: Sequence[int],
                 out_channels: int,
                 connector: Optional[dict[str, Any]] = None) -> None:
        super().__init__()
        cfg = dict(type='xlearner_mm.LinearConnector') if connector is None else connector
        if not isinstance(cfg, Mapping) or 'type' not in cfg:
            raise TypeError(f'LadderConnector.connector={cfg!r} must be a config with a type, e.g. '
                            "dict(type='xlearner_mm.MLPConnector').")
        self.rungs = ModuleList([
            MODELS.build(dict(cfg, in_channels=[channels], out_channels=out_channels)) for channels in in_channels])

    def forward(self, features: Sequence[Tensor]) -> Tensor:
        """Connect some maps.

        Args:
            features (Sequence[Tensor]): The student's maps of these levels, each ``(N, C_i, H_i, W_i)``.

        Returns:
            Tensor: ``(N, out_channels, H, W)`` of the last level's size.
        """
        size = features[-1].shape[-2], features[-1].shape[-1]
        steps = [rung([_resize(x, size)]) for rung, x in zip(self.rungs, features, strict=True)]
        return torch.stack(steps).sum(0)


def _resize(x: Tensor, size: tuple[int, int]) -> Tensor:
    """Average along a side that is longer, interpolate along one that is shorter; first, to save time."""
    pooled = min(size[0], x.shape[-2]), min(size[1], x.shape[-1])
    if x.shape[-2:] != pooled:
        x = F.adaptive_avg_pool2d(x, pooled)
    return x if pooled == size else F.interpolate(x, size, mode='bilinear', align_corners=False)
