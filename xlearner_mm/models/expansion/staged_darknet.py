"""Darknet (YOLOv3) of mmdet."""

from torch import Tensor

from xlearner_mm.registry import STAGED_BACKBONES

from .staged_backbone import StagedBackbone


@STAGED_BACKBONES.register_module(name='mmdet:Darknet')
class StagedDarknet(StagedBackbone):
    """Stages of a stock Darknet (ours), counted as its own ``out_indices`` count them.

    Stage 0 is its first convolution, of stride 1; the stages 1 to 5 have the strides 2 to 32.
    """

    @property
    def num_stages(self) -> int:
        """Number of stages, with the first convolution."""
        return len(self.backbone.cr_blocks)

    def stem(self, x: Tensor) -> Tensor:
        """Do nothing: the first convolution is stage 0.

        Args:
            x (Tensor): Images of shape ``(N, 3, H, W)``.

        Returns:
            Tensor: The images.
        """
        return x

    def stage(self, index: int, x: Tensor) -> Tensor:
        """Run one stage.

        Args:
            index (int): Stage to run.
            x (Tensor): Output of the stage before, ``(N, C, H, W)``, or the images.

        Returns:
            Tensor: Output of the stage.
        """
        return getattr(self.backbone, self.backbone.cr_blocks[index])(x)
