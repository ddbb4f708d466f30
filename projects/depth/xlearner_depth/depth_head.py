"""A depth head for the feature maps of any backbone."""

from collections.abc import Sequence
from typing import Any

import torch
from mmseg.models.decode_heads import FPNHead
from mmseg.models.utils import resize
from torch import Tensor, nn

from xlearner_mm.registry import MODELS


@MODELS.register_module()
class DepthHead(FPNHead):
    """Give a depth for each pixel (ours); mmseg's own ``VPDDepthHead`` is made for the maps of a diffusion model.

    The layers are those of ``FPNHead`` with one channel, which a sigmoid takes to ``min_depth`` to ``max_depth``. Where
    the depth of a pixel is outside of this range, as in padding, it was not measured and trains nothing.

    Args:
        loss_decode (dict or list[dict]): Config of a loss that leaves out where the target is 0, as ``SiLogLoss``.
        min_depth (float): Smallest depth, above 0: losses and metrics take its logarithm.
        max_depth (float): Largest depth.
        **kwargs: As of ``FPNHead``, but ``num_classes``, ``out_channels`` and ``threshold``.

    Raises:
        ValueError: If the range is empty or holds 0.
    """

    def __init__(self, *, loss_decode: Any, min_depth: float = 1e-3, max_depth: float = 10.0, **kwargs: Any) -> None:
        if not 0 < min_depth < max_depth:
            raise ValueError(f'DepthHead needs 0 < min_depth < max_depth, got min_depth={min_depth!r} and '
                             f'max_depth={max_depth!r}. Mend decode_head of the branch.')
        super().__init__(num_classes=1, threshold=0.5, loss_decode=loss_decode, **kwargs)
        self.num_classes = None  # one channel, but no classes that data could be compared with
        self.min_depth, self.max_depth = min_depth, max_depth

    def forward(self, inputs: Sequence[Tensor]) -> Tensor:
        """Estimate depth.

        Args:
            inputs (Sequence[Tensor]): Maps of the backbone, each ``(N, C_i, H_i, W_i)``.

        Returns:
            Tensor: Depth ``(N, 1, H_0, W_0)``, at the resolution of the first map.
        """
        return self.min_depth + (self.max_depth - self.min_depth) * super().forward(inputs).sigmoid()

    def loss_by_feat(self, seg_logits: Tensor, batch_data_samples: Sequence[Any]) -> dict[str, Tensor]:
        """Compare with the measured depth.

        Args:
            seg_logits (Tensor): Depth ``(N, 1, H_0, W_0)``; the name is mmseg's.
            batch_data_samples (Sequence[SegDataSample]): With ``gt_depth_map`` of ``(1, H, W)``.

        Returns:
            dict[str, Tensor]: Losses.
        """
        target = torch.stack([sample.gt_depth_map.data for sample in batch_data_samples])
        target = target.where((target >= self.min_depth) & (target <= self.max_depth), torch.zeros_like(target))
        depth = resize(seg_logits, size=target.shape[2:], mode='bilinear', align_corners=self.align_corners)
        losses: Any = self.loss_decode if isinstance(self.loss_decode, nn.ModuleList) else [self.loss_decode]
        return {loss.loss_name: loss(depth, target) for loss in losses}
