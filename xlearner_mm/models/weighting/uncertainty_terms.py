"""What a learned uncertainty does to a loss."""

import torch
from torch import Tensor


def uncertainty_terms(log_variance: Tensor) -> tuple[Tensor, Tensor]:
    """Give weight and regulariser of a loss L with the log variance s: ``exp(-s) / 2 L + s / 2`` (arXiv 1705.07115).

    Args:
        log_variance (Tensor): The learned s, a scalar.

    Returns:
        tuple[Tensor, Tensor]: ``exp(-s) / 2`` and ``s / 2``.
    """
    return torch.exp(-log_variance) / 2, log_variance / 2
