"""One link between two sub-backbones."""

from collections.abc import Sequence
from typing import Any, Optional

import torch
import torch.nn.functional as F
from mmcv.cnn import ConvModule
from mmengine.model import BaseModule, Sequential
from torch import Tensor, nn


class ReconciliationLayer(BaseModule):
    """Bring a stage of one sub-backbone to the shape of a stage of another one (paper, Figure 2a).

    ``num_downsamples`` times γ_a (conv of stride 2, BN, ReLU), then γ_b (conv of stride 1, BN). The figure gives no
    kernel sizes, channels or initialisation: 3×3 for γ_a and 1×1 for γ_b as in the sibling; γ_a keeps the channels
    (ours). Where sizes still differ, because the receiver is finer or rounds odd sizes in another way, the result is
    interpolated (ours). At the start the link adds exactly 0 (sibling): the last BN has zero weight. A ReLU behind such
    a BN would never get a gradient, so γ_b has none (ours); with ``final_relu`` it has the figure's ReLU, followed by a
    scale that starts at zero.

    Args:
        in_channels (int): Channels of the stage that is read.
        out_channels (int): Channels of the stage that receives.
        num_downsamples (int): Number of γ_a blocks.
        final_relu (bool): End γ_b in a ReLU, as the figure does.
        zero_init (bool): Start as 0.
        norm_cfg (dict, optional): Normalisation; BN by default.
    """

    def __init__(self,
                 in_channels: int,
                 out_channels: int,
                 num_downsamples: int,
                 final_relu: bool = False,
                 zero_init: bool = True,
                 norm_cfg: Optional[dict[str, Any]] = None) -> None:
        super().__init__()
        norm_cfg = norm_cfg or dict(type='BN')
        self.zero_init = zero_init
        self.downsamples = Sequential(*(
            ConvModule(in_channels, in_channels, 3, stride=2, padding=1, norm_cfg=norm_cfg)
            for _ in range(num_downsamples)))
        act_cfg = dict(type='ReLU') if final_relu else None
        self.projection = ConvModule(in_channels, out_channels, 1, norm_cfg=norm_cfg, act_cfg=act_cfg)
        self.scale = nn.Parameter(torch.ones(1)) if final_relu else None
        self._start_at_zero()

    def init_weights(self) -> None:
        """Initialise the convolutions as mmcv does, then let the link start at zero."""
        super().init_weights()
        self._start_at_zero()

    def _start_at_zero(self) -> None:
        if self.zero_init:
            nn.init.zeros_(self.projection.norm.weight if self.scale is None else self.scale)

    def forward(self, x: Tensor, size: Optional[Sequence[int]] = None) -> Tensor:
        """Bring a feature map to the receiver's shape.

        Args:
            x (Tensor): ``(N, in_channels, H, W)``.
            size (Sequence[int], optional): Height and width of the receiver's map; by default what the blocks give.

        Returns:
            Tensor: ``(N, out_channels, *size)``.
        """
        x = self.projection(self.downsamples(x))
        if size is not None and x.shape[-2:] != tuple(size):
            x = F.interpolate(x, tuple(size), mode='bilinear', align_corners=False)
        return x if self.scale is None else x * self.scale
