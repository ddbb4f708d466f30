"""The measures of a joint step and the stock steps of its sources."""

from typing import NamedTuple


class Turn(NamedTuple):
    """What one turn on the same images took.

    Attributes:
        joint (float): Seconds of the joint step.
        stock (dict[str, float]): Seconds of the stock step by source that was due.
        images (dict[str, int]): Images by source.
    """

    joint: float
    stock: dict[str, float]
    images: dict[str, int]

    @property
    def alone(self) -> float:
        """Seconds of the stock steps one after the other."""
        return sum(self.stock.values())
