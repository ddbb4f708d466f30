"""CSPDarknet (YOLOX) and CSPNeXt (RTMDet) of mmdet."""

import torch
from torch import Tensor

from xlearner_mm.registry import STAGED_BACKBONES

from .staged_backbone import StagedBackbone, StageShape, plain_pass


@STAGED_BACKBONES.register_module(name=['mmdet:CSPDarknet', 'mmdet:CSPNeXt'])
class StagedCSPDarknet(StagedBackbone):
    """Stages of a stock CSPDarknet or CSPNeXt (ours), counted as its own ``out_indices`` count them.

    Stage 0 is what the backbone calls its stem, of stride 2; the stages 1 to 4 (5 of arch P6) have the strides 4 to 32
    (64).
    """

    @property
    def num_stages(self) -> int:
        """Number of stages, with the backbone's stem."""
        return len(self.backbone.layers)

    def stem(self, x: Tensor) -> Tensor:
        """Do nothing: the backbone's own stem is stage 0.

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
        return getattr(self.backbone, self.backbone.layers[index])(x)

    def shapes(self) -> list[StageShape]:
        """Find channels and stride of every stage as the base class does, with an image of three channels.

        The first convolution does not say how many an image has: a CSPDarknet's reads four pixels at a time as twelve.

        Returns:
            list[StageShape]: One for each stage.
        """
        image = next(self.backbone.parameters()).new_zeros(1, 3, self.probe_size, self.probe_size)
        with torch.no_grad(), plain_pass(self.backbone):
            return [StageShape(f.shape[1], self.probe_size // f.shape[-1]) for f in self.features(image)]
