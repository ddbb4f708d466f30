"""MobileNetV2 of mmdet, mmseg and mmpretrain."""

from torch import Tensor

from xlearner_mm.registry import STAGED_BACKBONES

from .staged_named_layers import StagedNamedLayers


@STAGED_BACKBONES.register_module(name=['mmdet:MobileNetV2', 'mmseg:MobileNetV2', 'mmpretrain:MobileNetV2'])
class StagedMobileNetV2(StagedNamedLayers):
    """Stages of a stock MobileNetV2 (ours): its layers, counted as its own ``out_indices`` count them.

    There are seven, of strides 2, 4, 8, 16, 16, 32 and 32; in mmdet and mmpretrain the last convolution is the eighth.
    For a single index mmseg's returns a bare map; here it is a tuple of one, as from every other backbone.
    """

    @property
    def levels(self) -> tuple[int, ...]:
        """The last layers of strides 4, 8, 16 and 32."""
        return 1, 2, 4, self.num_stages - 1

    def stem(self, x: Tensor) -> Tensor:
        """Run the first convolution.

        Args:
            x (Tensor): Images of shape ``(N, 3, H, W)``.

        Returns:
            Tensor: ``(N, C, H/2, W/2)``.
        """
        return self.backbone.conv1(x)
