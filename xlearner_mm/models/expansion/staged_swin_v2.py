"""Swin transformer V2 of mmpretrain, and every subclass that keeps its ``forward``."""

from torch import Tensor

from xlearner_mm.registry import STAGED_BACKBONES

from .staged_swin import StagedSwin
from .tokens import to_map, to_tokens


@STAGED_BACKBONES.register_module(name='mmpretrain:SwinTransformerV2')
class StagedSwinV2(StagedSwin):
    """Stages of a stock Swin transformer V2, where a stage begins with the merging of patches (ours)."""

    def stage(self, index: int, x: Tensor) -> Tensor:
        """Run one stage.

        Args:
            index (int): Stage to run.
            x (Tensor): Output of the stage before, ``(N, C, H, W)``.

        Returns:
            Tensor: Output of the stage.
        """
        return to_map(*self.backbone.stages[index](*to_tokens(x)))

    def _channels(self) -> list[int]:
        return [stage.out_channels for stage in self.backbone.stages]
