"""A weight that changes during the squeeze."""

from collections.abc import Sequence
from typing import Union

import numpy as np


class WeightSchedule:
    """A constant, or straight lines between points (ours).

    Args:
        what (str): How an error names the setting.
        points (float or Sequence[tuple[int, float]]): The constant, or ``(step, weight)`` with growing steps, counted
            within the phase; before the first and after the last point the weight stays as there.

    Raises:
        TypeError: If it is neither.
        ValueError: If a weight is negative, or the steps do not grow.
    """

    def __init__(self, what: str, points: Union[float, Sequence[Sequence[float]]]) -> None:
        try:
            listed = [(0, points)] if isinstance(points, (int, float)) else points
            pairs = [(int(step), float(weight)) for step, weight in listed]
        except (TypeError, ValueError) as error:
            raise TypeError(f'{what}={points!r} must be a number, or a list of (step, weight).') from error
        self.steps, self.weights = [step for step, _ in pairs], [weight for _, weight in pairs]
        if not pairs or any(not weight >= 0 for weight in self.weights) or self.steps != sorted(set(self.steps)):
            raise ValueError(f'{what}={points!r} must have growing steps, and weights that are not negative.')

    def at(self, step: int) -> float:
        """Give the weight of a step.

        Args:
            step (int): Steps of the phase that are done.

        Returns:
            float: The weight.
        """
        return float(np.interp(step, self.steps, self.weights))
