"""Features in coordinates in which a linear classifier is quickly fitted."""

from collections.abc import Iterator

import torch
from torch import Tensor

CHUNK = 4096  # rows at a time: what is computed from them is small beside all features


class PrincipalAxes:
    """Centre features, turn them into their principal axes and bring them to unit size (ours).

    A linear classifier with a free bias and an L2 penalty has the same optimum there: centring only changes the bias, a
    rotation no norm, and the penalty is scaled along. But its second derivatives are nearly diagonal, so that a solver
    can be told the scale of each.

    Args:
        features (Tensor): ``(N, C)``, float32 or float64, finite.
        standardize (bool): Divide each feature by its standard deviation first. This changes what the penalty counts.
        device (torch.device): Where to compute.

    Attributes:
        rows (Tensor): The features along the axes, ``(N, R)`` with ``R = min(C, N - 1)``; their mean square norm is 1.
        variance (Tensor): Mean square along each axis, ``(R, )``.
        unit (float): What one unit of them is in features.
    """

    def __init__(self, features: Tensor, standardize: bool, device: torch.device) -> None:
        count, channels = features.shape
        total = torch.zeros(channels, dtype=torch.double, device=device)
        for part in _chunks(features, device):
            total += part.sum(0, dtype=torch.double)
        self._mean = (total / count).to(features.dtype)
        self._scale = torch.ones_like(self._mean)
        covariance = self._mean.new_zeros(channels, channels)
        for part in _chunks(features, device):
            part = part - self._mean
            covariance.addmm_(part.T, part, alpha=1 / count)
        if standardize:
            std = covariance.diagonal().sqrt()
            # Rounding gives a constant feature a deviation, too.
            self._scale = torch.where(std > count * torch.finfo(torch.double).eps * self._mean.abs(), std, 1)
            covariance /= torch.outer(self._scale, self._scale)
        variance, axes = torch.linalg.eigh(covariance)
        rank = min(channels, count - 1)  # centred samples have no extent along the other axes
        self.unit = float(covariance.trace().sqrt()) or 1.
        self.variance, self._axes = variance[-rank:].clamp_min(0) / self.unit**2, axes[:, -rank:]
        self._scale *= self.unit
        self.rows = self._mean.new_empty(count, rank)
        for part, rows in zip(_chunks(features, device), self.rows.split(CHUNK), strict=True):
            torch.mm((part - self._mean) / self._scale, self._axes, out=rows)

    def into(self, weight: Tensor, bias: Tensor) -> Tensor:
        """Turn a linear layer on features into one on ``rows``.

        Args:
            weight (Tensor): ``(K, C)``.
            bias (Tensor): ``(K, )``.

        Returns:
            Tensor: Weight and, in its last row, bias: ``(R + 1, K)``.
        """
        weight, bias = weight.to(self._mean), bias.to(self._mean)
        return torch.vstack((self._axes.T @ (weight * self._scale).T, bias + weight @ self._mean))

    def back(self, layer: Tensor) -> tuple[Tensor, Tensor]:
        """Turn a linear layer on ``rows`` into one on features.

        Args:
            layer (Tensor): Weight and, in its last row, bias: ``(R + 1, K)``.

        Returns:
            tuple[Tensor, Tensor]: Weight ``(K, C)`` and bias ``(K, )``.
        """
        weight = (self._axes @ layer[:-1]).T / self._scale
        return weight, layer[-1] - weight @ self._mean


def _chunks(features: Tensor, device: torch.device) -> Iterator[Tensor]:
    for part in features.split(CHUNK):
        yield part.to(device)
