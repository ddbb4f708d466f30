"""The source that gains least gains as much as it can."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from xlearner_mm.registry import MODELS

from .gradient_weighting import GradientWeighting
from .load_torchjd import load_torchjd


@MODELS.register_module()
class CAGrad(GradientWeighting):
    """Look near the sum of the gradients for what lowers the worst source's loss most (arXiv 2110.14048).

    "Near" is at most ``c`` times its length away. It needs ``torchjd`` and ``cvxpy``, and some milliseconds a step.

    Args:
        sources (Sequence[str]): All sources, in the order of the config.
        c (float): The radius. At 0 the gradient is the sum; the paper proves that below 1 the sum of the losses is
            minimised.

    Raises:
        ImportError: If ``torchjd`` or ``cvxpy`` is missing.
        TypeError: If the radius is no number.
        ValueError: If the radius is negative or not finite.
    """

    def __init__(self, sources: Sequence[str], c: float = 0.5) -> None:
        super().__init__(sources)
        if not isinstance(c, (int, float)):
            raise TypeError(f'weighting.c={c!r} must be a number, e.g. 0.5.')
        if not 0 <= c < math.inf:
            raise ValueError(f'weighting.c={c!r} must not be negative, and finite.')
        weighting = load_torchjd('CAGrad', 'torchjd.aggregation', 'CAGradWeighting', 'cvxpy')
        self._weighting = weighting(c=c, norm_eps=1e-6)

    def row_weights(self, gramian: Tensor) -> Tensor:
        """Weigh the gradients.

        Args:
            gramian (Tensor): Inner products ``(S, S)``.

        Returns:
            Tensor: Weights ``(S, )``.
        """
        weights: Tensor = len(gramian) * self._weighting(gramian)
        # Where some weighted mean of the gradients is shorter than norm_eps, torchjd stops, even if their sum is long:
        # a source that has been learned would stop all others. By the paper (c < 1) the sum goes on.
        return weights if weights.any() else torch.ones_like(weights)
