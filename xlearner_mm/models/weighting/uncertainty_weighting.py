"""Sources weighted by what can be learned of them."""

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from xlearner_mm.registry import MODELS

from .loss_weighting import LossWeighting
from .uncertainty_terms import uncertainty_terms
from .weigh_losses import weigh_losses


@MODELS.register_module()
class UncertaintyWeighting(LossWeighting):
    """Weigh the losses L of each source by a learned log variance s: ``exp(-s) L / 2 + s / 2`` (arXiv 1705.07115).

    ``s / 2`` is logged as ``<source>.loss_log_variance``, the weight as ``<source>.source_weight``. A constant
    ``loss_weight`` of a branch moves where s starts from and not where it goes: s is at rest at the logarithm of the
    weighted loss. With Adam, s moves by about the learning rate a step: give ``weighting`` a ``lr_mult`` above 1 and
    ``decay_mult=0`` in ``paramwise_cfg.custom_keys`` where a run is short.

    Args:
        sources (Sequence[str]): All sources, in the order of the config.
        init (float): Log variance of every source at the start. At 0 the weight is 1/2; at ``-log(2)``, which is
            -0.6931, it is 1.

    Raises:
        TypeError: If ``init`` is no number.
        ValueError: If it is not finite.
    """

    def __init__(self, sources: Sequence[str], init: float = 0.0) -> None:
        super().__init__(sources)
        if not isinstance(init, (int, float)):
            raise TypeError(f'weighting.init={init!r} must be a number, the log variance of all sources at the start.')
        if not math.isfinite(init):
            raise ValueError(f'weighting.init={init!r} must be finite.')
        self.log_variances = nn.ParameterDict(
            {source: nn.Parameter(torch.tensor(float(init))) for source in self.sources})

    def weigh(self, source: str, losses: dict[str, Any]) -> dict[str, Any]:
        """Weigh the losses of a source.

        Args:
            source (str): The source.
            losses (dict[str, Tensor or list[Tensor]]): By stock key.

        Returns:
            dict[str, Tensor or list[Tensor]]: The same keys, ``loss_log_variance`` (it may be negative) and
                ``source_weight``, which is only logged.
        """
        weight, regulariser = uncertainty_terms(self.log_variances[source])
        return dict(weigh_losses(losses, weight), loss_log_variance=regulariser, source_weight=weight.detach())
