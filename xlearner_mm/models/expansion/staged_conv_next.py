"""ConvNeXt V1 and V2 of mmpretrain, and every subclass that keeps its ``forward``."""

from collections.abc import Sequence

from torch import Tensor

from xlearner_mm.registry import STAGED_BACKBONES

from .output_norm import normed_stages, output_norm
from .staged_backbone import StagedBackbone


@STAGED_BACKBONES.register_module(name='mmpretrain:ConvNeXt')
class StagedConvNeXt(StagedBackbone):
    """Stages of a stock ConvNeXt (ours).

    ``maps`` are what stock returns with ``gap_before_final_norm=False``, ``vector`` what it returns with True. The
    weights are the same, so a port says which, whatever the option of the backbone: one student serves both.
    """

    @property
    def num_stages(self) -> int:
        """Number of stages."""
        return len(self.backbone.stages)

    @property
    def stock_output(self) -> str:
        """What the option of the stock backbone asks for."""
        return 'vector' if self.backbone.gap_before_final_norm else 'maps'

    def emits(self) -> tuple[int, ...]:
        """Give the stages that the stock backbone can return: it has output norms for its own ``out_indices`` only.

        Returns:
            tuple[int]: The stages, counted from 0.
        """
        return normed_stages(self.backbone, self.num_stages)

    def stem(self, x: Tensor) -> Tensor:
        """Run the stem.

        Args:
            x (Tensor): Images of shape ``(N, 3, H, W)``.

        Returns:
            Tensor: ``(N, C, H/4, W/4)``.
        """
        return self.backbone.downsample_layers[0](x)

    def stage(self, index: int, x: Tensor) -> Tensor:
        """Downsample, then run the blocks of one stage.

        Args:
            index (int): Stage to run.
            x (Tensor): Output of the stage before, ``(N, C, H, W)``.

        Returns:
            Tensor: Output of the stage.
        """
        if index > 0:
            x = self.backbone.downsample_layers[index](x)
        return self.backbone.stages[index](x)

    def output(self, index: int, x: Tensor) -> Tensor:
        """Normalise a stage's output by the stock output norm.

        Args:
            index (int): The stage.
            x (Tensor): Its output, ``(N, C, H, W)``.

        Returns:
            Tensor: ``(N, C, H, W)``.

        Raises:
            ValueError: If the backbone has no output norm for the stage.
        """
        return output_norm(self.backbone, index)(x)

    def emit(self, features: Sequence[Tensor], out_indices: Sequence[int], output: str) -> tuple[Tensor, ...]:
        """Give features as a stock ConvNeXt would return them: vectors are averaged first and normalised then.

        Args:
            features (Sequence[Tensor]): Outputs of the stages, each ``(N, C_i, H_i, W_i)``.
            out_indices (Sequence[int]): Stages to return.
            output (str): ``maps`` or ``vector``.

        Returns:
            tuple[Tensor]: Maps ``(N, C_i, H_i, W_i)`` or vectors ``(N, C_i)``.

        Raises:
            ValueError: If the backbone has no output norm for a stage.
        """
        if output == 'maps':
            return super().emit(features, out_indices, output)
        return tuple(self.output(i, features[i].mean([-2, -1], keepdim=True)).flatten(1) for i in out_indices)
