"""Cross stage partial networks of mmpretrain: CSPDarkNet, CSPResNet, CSPResNeXt."""

from torch import Tensor

from xlearner_mm.registry import STAGED_BACKBONES

from .staged_backbone import StagedBackbone


@STAGED_BACKBONES.register_module(name='mmpretrain:CSPNet')
class StagedCSPNet(StagedBackbone):
    """Stages of a stock CSPNet (ours): five of strides 2 to 32 in a CSPDarkNet, four of 4 to 32 in the other two."""

    @property
    def num_stages(self) -> int:
        """Number of stages."""
        return len(self.backbone.stages)

    @property
    def levels(self) -> tuple[int, ...]:
        """The last four stages, of strides 4 to 32."""
        return tuple(range(self.num_stages))[-4:]

    def stem(self, x: Tensor) -> Tensor:
        """Run the stem.

        Args:
            x (Tensor): Images of shape ``(N, 3, H, W)``.

        Returns:
            Tensor: ``(N, C, H, W)`` of a CSPDarkNet, ``(N, C, H/4, W/4)`` of the others.
        """
        return self.backbone.stem(x)

    def stage(self, index: int, x: Tensor) -> Tensor:
        """Run one stage.

        Args:
            index (int): Stage to run.
            x (Tensor): Output of the stage before, ``(N, C, H, W)``.

        Returns:
            Tensor: Output of the stage.
        """
        return self.backbone.stages[index](x)
