"""A connector with a hidden layer."""

from collections.abc import Sequence
from typing import Optional

from mmengine.model import BaseModule
from torch import Tensor, nn

from xlearner_mm.registry import MODELS


@MODELS.register_module()
class MLPConnector(BaseModule):
    """1×1 convolutions with normalisation and GELU between them (ours); dropped at export.

    The normalisation is over the channels of each position, so that nothing depends on the batch or on padding.

    Args:
        in_channels (Sequence[int]): Widths of the student's levels, the compared one last.
        out_channels (int): Width of the teacher's level.
        hidden_channels (int, optional): Width of the hidden layers; by default that of the teacher's level.
        num_layers (int): Number of convolutions.

    Raises:
        TypeError: If a number is no integer.
        ValueError: If there are fewer than two layers (that is a :class:`LinearConnector`), or no hidden channels.
    """

    def __init__(self,
                 in_channels: Sequence[int],
                 out_channels: int,
                 hidden_channels: Optional[int] = None,
                 num_layers: int = 2) -> None:
        super().__init__()
        hidden = out_channels if hidden_channels is None else hidden_channels
        for name, number in dict(num_layers=num_layers, hidden_channels=hidden).items():
            if not isinstance(number, int):
                raise TypeError(f'MLPConnector.{name}={number!r} must be an integer.')
        if num_layers < 2:
            raise ValueError(f'MLPConnector.num_layers={num_layers!r} must be at least 2; one is a LinearConnector.')
        if hidden < 1:
            raise ValueError(f'MLPConnector.hidden_channels={hidden!r} must be at least 1; leave it out for the '
                             "width of the teacher's level.")
        layers: list[nn.Module] = []
        width = in_channels[-1]
        for _ in range(num_layers - 1):
            norm = MODELS.build(dict(type='mmpretrain.LN2d', num_channels=hidden))
            layers += [nn.Conv2d(width, hidden, 1), norm, nn.GELU()]
            width = hidden
        self.layers = nn.Sequential(*layers, nn.Conv2d(width, out_channels, 1))

    def forward(self, features: Sequence[Tensor]) -> Tensor:
        """Connect the last of some maps.

        Args:
            features (Sequence[Tensor]): The student's maps of these levels, each ``(N, C_i, H_i, W_i)``.

        Returns:
            Tensor: ``(N, out_channels, H, W)`` of the last level's size.
        """
        return self.layers(features[-1])
