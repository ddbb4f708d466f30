"""Sources weighted by how fast their losses fall."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from mmengine.dist import all_reduce
from torch import Tensor

from xlearner_mm.registry import MODELS

from .loss_weighting import LossWeighting
from .weigh_losses import weigh_losses


@MODELS.register_module()
class DynamicWeightAverage(LossWeighting):
    """Give sources whose losses fall slowly larger weights: ``S softmax(r / T)`` over S sources (arXiv 1803.10704).

    r is the mean loss of a source in the last window of steps, divided by that of the window before; means are over the
    steps that had the source, and over the ranks. Until there are two windows of a source its r is 1, and a window
    without it leaves its r as it was. Losses that are not finite do not count. The squeeze has other losses, and begins
    anew. The weight is logged as ``<source>.source_weight``. What there is to resume is in the state dict, equal on all
    ranks at every step.

    Args:
        sources (Sequence[str]): All sources, in the order of the config.
        interval (int): Steps of a window; the paper has an epoch.
        temperature (float): T; the larger, the more equal are the weights.

    Raises:
        TypeError: If a setting is no number.
        ValueError: If a setting is not positive, or the temperature not finite.
    """

    steps: Tensor
    sums: Tensor
    counts: Tensor
    means: Tensor
    ratios: Tensor

    def __init__(self, sources: Sequence[str], interval: int = 100, temperature: float = 2.0) -> None:
        super().__init__(sources)
        if not isinstance(interval, int) or not isinstance(temperature, (int, float)):
            raise TypeError(f'weighting.interval={interval!r} must be an integer, the steps of a window, and '
                            f'weighting.temperature={temperature!r} a number.')
        if interval < 1 or not 0 < temperature < math.inf:
            raise ValueError(f'weighting.interval={interval!r} and weighting.temperature={temperature!r} must be '
                             'positive, and finite.')
        self.interval, self.temperature = interval, temperature
        empty = torch.zeros(len(self.sources), dtype=torch.float64)
        self.register_buffer('steps', torch.zeros((), dtype=torch.int64))  # of the present window
        self.register_buffer('sums', empty.clone())
        self.register_buffer('counts', empty.clone())
        self.register_buffer('means', empty.clone())  # of the last window with the source; 0: there was none
        self.register_buffer('ratios', empty + 1)

    @property
    def weights(self) -> Tensor:
        """The present weights, ``(S, )``, in the order of the sources."""
        return len(self.sources) * torch.softmax(self.ratios / self.temperature, dim=0)

    def weigh(self, source: str, losses: dict[str, Any]) -> dict[str, Any]:
        """Weigh the losses of a source.

        Args:
            source (str): The source.
            losses (dict[str, Tensor or list[Tensor]]): By stock key.

        Returns:
            dict[str, Tensor or list[Tensor]]: The same keys, and ``source_weight``, which is only logged.
        """
        weight = self.weights[self.sources.index(source)].float()
        return dict(weigh_losses(losses, weight), source_weight=weight)

    @torch.no_grad()
    def after_step(self, totals: Mapping[str, Tensor]) -> None:
        """Add the losses to the window, and change the weights if it is full.

        The ranks are averaged at every step and not at the end of a window: the checkpoint has the first rank's state.

        Args:
            totals (Mapping[str, Tensor]): Scalar total by source of this step, before :meth:`weigh`, of this rank.
        """
        now = torch.full_like(self.sums, math.nan)
        for source, total in totals.items():
            now[self.sources.index(source)] = total
        all_reduce(now, 'mean')
        there = now.isfinite()
        self.sums += now.masked_fill(~there, 0)
        self.counts += there
        self.steps += 1
        if self.steps >= self.interval:
            self._end_window()

    def start_phase(self) -> None:
        """Begin as with the first step: other losses say nothing of how these fall."""
        for buffer in self.buffers():
            buffer.zero_()
        self.ratios.fill_(1)

    def _end_window(self) -> None:
        there, mean = self.counts > 0, self.sums / self.counts
        self.ratios.copy_(torch.where(there & (self.means > 0), mean / self.means, self.ratios))
        self.means.copy_(torch.where(there, mean, self.means))
        for buffer in (self.steps, self.sums, self.counts):
            buffer.zero_()
