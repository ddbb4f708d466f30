"""Standardisation of teacher features."""

from torch import Tensor, nn

from xlearner_mm.registry import MODELS


@MODELS.register_module()
class BatchStandardizer(nn.Module):
    """Give every channel of a teacher zero mean and unit variance over the batch and its positions (ours).

    Teachers of different tasks have features of very different scales; without it the largest one decides the student.

    Args:
        num_features (int): Number of channels.
        eps (float): Added to the variance.
    """

    def __init__(self, num_features: int, eps: float = 1e-5) -> None:
        super().__init__()
        self.num_features = num_features
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        """Standardise a feature map.

        Args:
            x (Tensor): ``(N, C, H, W)``.

        Returns:
            Tensor: The same shape.
        """
        mean = x.mean((0, 2, 3), keepdim=True)
        variance = x.var((0, 2, 3), unbiased=False, keepdim=True)
        return (x - mean) * (variance + self.eps).rsqrt()
