"""The gradient of each source, kept apart."""

from collections.abc import Callable, Mapping, Sequence
from typing import Optional

import torch
from torch import Tensor, nn

from .gradient_reducer import GradientReducer

Row = list[Optional[Tensor]]


class SourceGradients:
    """Keep the gradients of the sources apart until the optimizer's step, then put them together (ours).

    For loss weightings and measurements that look at the conflict between sources. It costs a copy of the gradients of
    the shared parameters a source, and over several ranks a reduction a source.

    Args:
        parameters (Mapping[str, Parameter]): The trained parameters by name.
    """

    def __init__(self, parameters: Mapping[str, nn.Parameter]) -> None:
        self.names = list(parameters)
        self._parameters = list(parameters.values())
        self._rows: dict[str, Row] = {}

    def take(self, source: str) -> None:
        """Take over what the backward passes of a source left in the parameters, which are without gradients then.

        Args:
            source (str): The source. What it left in earlier iterations is added.
        """
        before = self._rows.get(source, [None] * len(self._parameters))
        row: Row = []
        for parameter, old in zip(self._parameters, before, strict=True):
            new, parameter.grad = parameter.grad, None
            row.append(new if old is None else old if new is None else old.add_(new))
        self._rows[source] = row

    def average(self, reducer: GradientReducer) -> None:
        """Average over the ranks, a source after the other.

        Args:
            reducer (GradientReducer): What reduces.
        """
        for source, row in self._rows.items():
            self._rows[source] = reducer.average(row, self._parameters)

    def shared(self) -> list[int]:
        """Find the parameters that at least two sources have a gradient for.

        Returns:
            list[int]: Their places in :attr:`names`.
        """
        columns = zip(*self._rows.values(), strict=True)
        return [i for i, column in enumerate(columns) if sum(gradient is not None for gradient in column) > 1]

    def matrix(self, places: Sequence[int]) -> Tensor:
        """Give the gradients of some parameters, a row a source; what a source does not reach is zero.

        Args:
            places (Sequence[int]): Places of the parameters in :attr:`names`.

        Returns:
            Tensor: Of shape ``(S, P)``, sources in the order of the step.
        """
        return torch.stack([torch.cat([_flat(row[i], self._parameters[i]) for i in places])
                            for row in self._rows.values()])

    @property
    def sources(self) -> list[str]:
        """Sources that left gradients."""
        return list(self._rows)

    def combine(self, aggregate: Optional[Callable[[Tensor, Sequence[str]], Tensor]] = None,
                scale: float = 1.0) -> None:
        """Put the gradients of all sources together into the parameters.

        Args:
            aggregate (Callable, optional): Makes one gradient ``(P, )`` of the rows ``(S, P)`` of the sources, on the
                parameters that several share; None for the sum.
            scale (float): Scale that the losses were multiplied with; ``aggregate`` sees gradients without it.
        """
        shared = self.shared() if aggregate is not None else []
        for i in set(range(len(self._parameters))).difference(shared):
            self._parameters[i].grad = _sum([g for row in self._rows.values() if (g := row[i]) is not None])
        if shared and aggregate is not None:
            rows = self.matrix(shared).div_(scale)
            # What is not finite is left to the guard, which looks at the sum.
            whole = (aggregate(rows, self.sources) if rows.isfinite().all() else rows.sum(dim=0)).mul_(scale)
            parts = whole.split([self._parameters[i].numel() for i in shared])
            for i, part in zip(shared, parts, strict=True):
                self._parameters[i].grad = part.view_as(self._parameters[i])


def _flat(gradient: Optional[Tensor], parameter: nn.Parameter) -> Tensor:
    return (torch.zeros_like(parameter) if gradient is None else gradient).flatten()


def _sum(gradients: Sequence[Tensor]) -> Optional[Tensor]:
    """Add gradients up, in order; the tensors stay as they are."""
    if len(gradients) < 2:
        return gradients[0] if gradients else None
    total = gradients[0] + gradients[1]
    for gradient in gradients[2:]:
        total += gradient
    return total
