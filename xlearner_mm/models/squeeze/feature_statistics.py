"""What standardizers of teacher features share."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn


def check_channels(x: Tensor, num_features: int) -> None:
    """Refuse features that a standardizer was not built for.

    Args:
        x (Tensor): ``(N, C, H, W)``.
        num_features (int): Number of channels that it was built for.

    Raises:
        ValueError: If x has another shape.
    """
    if x.ndim != 4 or x.shape[1] != num_features:
        raise ValueError(f'A standardizer with num_features={num_features} takes features of shape (N, {num_features}, '
                         f'H, W), got {tuple(x.shape)}: num_features must be the number of channels of the teacher.')


class FeatureStatistics(nn.Module):
    """Base of standardizers with statistics over many batches (ours).

    Statistics are buffers in double precision; where a device has none, in single precision. Never in less: neither
    ``half()`` nor ``to(torch.bfloat16)`` of a whole model reaches them.

    Args:
        num_features (int): Number of channels.
    """

    def __init__(self, num_features: int) -> None:
        super().__init__()
        self.num_features = num_features

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Any:

        def _in_precision(values: Tensor) -> Tensor:
            try:
                moved = fn(values)
            except TypeError:  # a device without double precision
                moved = fn(values.float())
            return values.to(moved.device) if moved.dtype in (torch.half, torch.bfloat16) else moved

        return super()._apply(_in_precision, recurse)

    def _check_seen(self, seen: bool) -> None:
        if not seen:
            raise RuntimeError(f'A {type(self).__name__} that has seen no batch cannot standardise: train first, or '
                               'load a checkpoint of a squeeze.')
