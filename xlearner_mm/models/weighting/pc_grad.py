"""Conflicting parts of gradients are taken away."""

from collections.abc import Sequence

import torch
from torch import Tensor

from xlearner_mm.registry import MODELS
from xlearner_mm.utils import keyed_rng

from .gradient_weighting import GradientWeighting
from .load_torchjd import load_torchjd


@MODELS.register_module()
class PCGrad(GradientWeighting):
    """Project each gradient off those that it conflicts with, in random order, then add them up (arXiv 2001.06782).

    The order depends on the seed and on the steps done, which the state dict has: it is the same on all ranks and after
    a resume. It needs ``torchjd``.

    Args:
        sources (Sequence[str]): All sources, in the order of the config.
        seed (int): Seed of the order; not the run's, which ranks may have each of their own.

    Raises:
        ImportError: If ``torchjd`` is missing.
        TypeError: If the seed is no integer.
    """

    steps: Tensor

    def __init__(self, sources: Sequence[str], seed: int = 0) -> None:
        super().__init__(sources)
        if not isinstance(seed, int):
            raise TypeError(f'weighting.seed={seed!r} must be an integer.')
        self.seed = seed
        self.register_buffer('steps', torch.zeros((), dtype=torch.int64))
        self._weighting = load_torchjd('PCGrad', 'torchjd.aggregation', 'PCGradWeighting')()

    def row_weights(self, gramian: Tensor) -> Tensor:
        """Weigh the gradients.

        Args:
            gramian (Tensor): Inner products ``(S, S)``.

        Returns:
            Tensor: Weights ``(S, )``.
        """
        with keyed_rng('PCGrad', self.seed, int(self.steps)):
            weights: Tensor = self._weighting(gramian)
        self.steps += 1
        return weights
