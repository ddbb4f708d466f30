"""The simplest connector."""

from collections.abc import Sequence

from mmengine.model import BaseModule
from torch import Tensor, nn

from xlearner_mm.registry import MODELS


@MODELS.register_module()
class LinearConnector(BaseModule):
    """A 1×1 convolution from a level of the student to the width of a teacher's (ours); dropped at export.

    Args:
        in_channels (Sequence[int]): Widths of the student's levels, the compared one last.
        out_channels (int): Width of the teacher's level.
    """

    def __init__(self, in_channels: Sequence[int], out_channels: int) -> None:
        super().__init__()
        self.projection = nn.Conv2d(in_channels[-1], out_channels, 1)

    def forward(self, features: Sequence[Tensor]) -> Tensor:
        """Connect the last of some maps.

        Args:
            features (Sequence[Tensor]): The student's maps of these levels, each ``(N, C_i, H_i, W_i)``.

        Returns:
            Tensor: ``(N, out_channels, H, W)`` of the last level's size.
        """
        return self.projection(features[-1])
