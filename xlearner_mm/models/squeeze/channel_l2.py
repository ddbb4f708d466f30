"""Teacher features of unit length."""

import torch.nn.functional as F
from torch import Tensor, nn

from xlearner_mm.registry import MODELS

from .feature_statistics import check_channels


@MODELS.register_module()
class ChannelL2(nn.Module):
    """Divide the channels of each position by their Euclidean length (ours); a factor on a position does not matter.

    Args:
        num_features (int): Number of channels.
        eps (float): Least length that is divided by.
    """

    def __init__(self, num_features: int, eps: float = 1e-6) -> None:
        super().__init__()
        self.num_features = num_features
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        """Standardise a feature map.

        Args:
            x (Tensor): ``(N, C, H, W)``.

        Returns:
            Tensor: The same shape.

        Raises:
            ValueError: If x has another number of channels.
        """
        check_channels(x, self.num_features)
        return F.normalize(x.float(), dim=1, eps=self.eps).to(x.dtype)
