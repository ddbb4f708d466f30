"""EfficientNet of mmpretrain and mmdet."""

from torch import Tensor

from xlearner_mm.models import StagedBackbone
from xlearner_mm.registry import STAGED_BACKBONES


@STAGED_BACKBONES.register_module(name=['mmpretrain:EfficientNet', 'mmdet:EfficientNet'])
class StagedEfficientNet(StagedBackbone):
    """Stages of a stock EfficientNet (ours): its layers, counted as its own ``out_indices`` count them.

    There are seven, of strides 2, 2, 4, 8, 16, 32 and 32, in every arch of mmpretrain (b0 to b8, l2, es, em, el). The
    first and the last one are single convolutions; the first takes the place of a stem.
    """

    @property
    def num_stages(self) -> int:
        """Number of layers."""
        return len(self.backbone.layers)

    @property
    def levels(self) -> tuple[int, ...]:
        """The last layers of strides 4, 8, 16 and 32."""
        return 2, 3, 4, self.num_stages - 1

    def stage(self, index: int, x: Tensor) -> Tensor:
        """Run one layer.

        Args:
            index (int): Layer to run.
            x (Tensor): Output of the layer before, ``(N, C, H, W)``, or images.

        Returns:
            Tensor: Output of the layer, ``(N, C_index, H_index, W_index)``.
        """
        return self.backbone.layers[index](x)
