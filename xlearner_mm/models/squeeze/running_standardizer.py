"""Standardisation of teacher features by running statistics."""

import torch
from mmengine.dist import all_reduce
from torch import Tensor

from xlearner_mm.registry import MODELS

from .feature_statistics import FeatureStatistics, check_channels


@MODELS.register_module()
class RunningStandardizer(FeatureStatistics):
    """Give every channel of a teacher about zero mean and unit variance, by averages over many batches (ours).

    The averages of x and x² over a batch of all ranks decay by ``1 - momentum`` a training step; they are divided by
    the weight that has gone into them, so the first step is right already. They are in the state dict.

    Args:
        num_features (int): Number of channels.
        momentum (float): Share of the newest batch.
        eps (float): Added to the variance.

    Raises:
        ValueError: If the momentum is not between 0 and 1.
    """

    mean: Tensor
    square: Tensor
    weight: Tensor

    def __init__(self, num_features: int, momentum: float = 0.01, eps: float = 1e-5) -> None:
        super().__init__(num_features)
        if not 0 < momentum <= 1:
            raise ValueError(f'squeeze.standardizer.momentum={momentum!r} must be above 0 and at most 1.')
        self.momentum, self.eps = momentum, eps
        # Double precision: a channel's variance is a small difference of them where its mean is large.
        for name, shape in (('mean', num_features), ('square', num_features), ('weight', ())):
            self.register_buffer(name, torch.zeros(shape, dtype=torch.double))

    def forward(self, x: Tensor) -> Tensor:
        """Standardise a feature map; in training after its statistics have gone into the running ones.

        Args:
            x (Tensor): ``(N, C, H, W)``.

        Returns:
            Tensor: The same shape.

        Raises:
            RuntimeError: If it is not in training and has seen nothing.
            ValueError: If x has another number of channels.
        """
        check_channels(x, self.num_features)
        if self.training:
            self._update(x)
        else:
            self._check_seen(bool(self.weight))
        mean = self.mean / self.weight
        variance = (self.square / self.weight - mean.square()).clamp(min=0)
        scale = (variance + self.eps).rsqrt()
        mean, scale = (values.float().view(1, -1, 1, 1) for values in (mean, scale))
        return ((x.float() - mean) * scale).to(x.dtype)

    @torch.no_grad()
    def _update(self, x: Tensor) -> None:
        x = x.to(self.mean.dtype)
        sums = torch.cat([x.sum((0, 2, 3)), x.square().sum((0, 2, 3)), x.new_tensor([x.numel() / x.shape[1]])])
        all_reduce(sums)
        mean, square = (sums[:-1] / sums[-1]).chunk(2)
        for average, value in ((self.mean, mean), (self.square, square), (self.weight, torch.ones_like(self.weight))):
            average.lerp_(value, self.momentum)
