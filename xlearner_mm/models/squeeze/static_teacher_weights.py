"""Teachers that always count the same."""

import math
from collections.abc import Mapping, Sequence
from typing import Optional

from torch import Tensor, nn

from xlearner_mm.registry import MODELS


@MODELS.register_module()
class StaticTeacherWeights(nn.Module):
    """Multiply the hint loss of each teacher by a constant (ours).

    Args:
        teachers (Sequence[str]): Names of the teachers.
        weights (Mapping[str, float], optional): Weight by teacher; 1 for those that are not named. A teacher with
            weight 0 is not run.

    Raises:
        TypeError: If the weights are no dict of numbers.
        ValueError: If a teacher is unknown, or a weight negative or not finite.
    """

    changing = False

    def __init__(self, teachers: Sequence[str], weights: Optional[Mapping[str, float]] = None) -> None:
        super().__init__()
        given = {} if weights is None else weights
        if not isinstance(given, Mapping) or not all(isinstance(w, (int, float)) for w in given.values()):
            raise TypeError(f'squeeze.weights.weights={given!r} must be a dict of weights by teacher, e.g. '
                            f'dict({teachers[0]}=0.5).')
        unknown = sorted(map(str, set(given) - set(teachers)))
        if unknown:
            raise ValueError(f'squeeze.weights.weights names {", ".join(unknown)}, which are no teachers: '
                             f'{", ".join(teachers)}.')
        self.weights = {teacher: float(given.get(teacher, 1)) for teacher in teachers}
        if not all(0 <= weight < math.inf for weight in self.weights.values()):
            raise ValueError(f'squeeze.weights.weights={given!r} must not be negative, and finite.')

    @property
    def active(self) -> list[str]:
        """Teachers with a weight."""
        return [teacher for teacher, weight in self.weights.items() if weight > 0]

    def forward(self, losses: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Weigh.

        Args:
            losses (Mapping[str, Tensor]): Scalar hint loss by teacher.

        Returns:
            dict[str, Tensor]: What is back-propagated, by teacher.
        """
        return {teacher: loss if self.weights[teacher] == 1 else loss * self.weights[teacher]
                for teacher, loss in losses.items()}
