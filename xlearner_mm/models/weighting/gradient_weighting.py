"""What a weighting that looks at gradients is."""

from collections.abc import Sequence

import torch
from mmengine.dist import broadcast
from torch import Tensor

from .loss_weighting import LossWeighting

CHUNK = 2**20  # columns at a time in double precision


class GradientWeighting(LossWeighting):
    """Make one gradient of those of the sources, on the parameters that several of them reach (ours).

    It is a weighted sum of them, with weights from their inner products. Where no two of them conflict it is their
    plain sum (except in :class:`CAGrad`), as with :class:`StaticWeighting`: the papers' means are multiplied with the
    number of sources, so that learning rates need not change and fit the parameters that only one source reaches.
    """

    needs_gradients = True

    def row_weights(self, gramian: Tensor) -> Tensor:
        """Weigh the gradients of at least two sources, none of which is zero.

        Args:
            gramian (Tensor): Inner products of the gradients, ``(S, S)``, in double precision on the CPU, divided by
                the sum of the squared lengths.

        Returns:
            Tensor: Weights ``(S, )`` of the sum.

        Raises:
            NotImplementedError: If a subclass has neither this nor an :meth:`aggregate` of its own.
        """
        raise NotImplementedError(f'{type(self).__name__} needs a method row_weights or aggregate.')

    @torch.no_grad()
    def aggregate(self, gradients: Tensor, sources: Sequence[str]) -> Tensor:
        """Make one gradient. All ranks call it, with the same gradients; nothing of the size of all rows is copied.

        Args:
            gradients (Tensor): ``(S, P)``, a row a source, averaged over the ranks.
            sources (Sequence[str]): Names of the rows.

        Returns:
            Tensor: ``(P, )``.
        """
        gramian = _gramian(gradients)
        there = gramian.diagonal() > 0
        weights = torch.ones_like(gramian[0])
        if there.sum() > 1:
            gramian = gramian[there][:, there]
            weights[there] = self.row_weights(gramian / gramian.trace())
        broadcast(weights)  # solvers may differ in the last bit from machine to machine; parameters may not
        first, *others = weights.tolist()
        total = gradients[0] * first
        for row, weight in zip(gradients[1:], others, strict=True):
            total.add_(row, alpha=weight)
        return total


def _gramian(rows: Tensor) -> Tensor:
    """Give inner products of rows, which neither TF32 nor autocast nor long sums make inexact."""
    total = torch.zeros(len(rows), len(rows), dtype=torch.float64, device=rows.device)
    for part in rows.split(CHUNK, dim=1):
        double = part.double()
        total += double @ double.T
    return total.cpu()
