"""One source a step."""

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from .apportion import apportion
from .batch_schedule import BatchSchedule, check_batch_sizes
from .ratios import Shares, parse_ratios


class AlternateSchedule(BatchSchedule):
    """Take one source a step, the same on all ranks; ratios say how often each has its turn (ours).

    The turn goes to the source that is furthest behind its share; the seed decides between equals. So the turns are
    exact at any time and not merely on average; with equal ratios every source has one in each round.

    Args:
        batch_size (dict[str, int]): Images of each source at its turn, on a rank.
        sizes (Mapping[str, int]): Number of samples by source.
        ratios (dict, str or list): See :func:`parse_ratios`.

    Raises:
        TypeError: If a batch size is no integer, or ratios are of another form.
        ValueError: If the batch sizes do not fit the sources, or a source never has its turn.
    """

    def __init__(self, batch_size: Any, sizes: Mapping[str, int], ratios: Any = None) -> None:
        self.batch_size = check_batch_sizes(batch_size, sizes)
        self.shares = parse_ratios(ratios, sizes)

    def due(self, step: int, carry: Mapping[str, Fraction], seed: int,
            world_size: int) -> tuple[dict[str, int], Shares]:
        """Give the turn of a step.

        Args:
            step (int): Step within the phase.
            carry (Mapping[str, Fraction]): Turns that each source still had to get.
            seed (int): Seed of the run.
            world_size (int): Number of ranks.

        Returns:
            tuple[dict[str, int], dict[str, Fraction]]: Images of each source for a rank, and the new carry.
        """
        turns, carry = apportion(1, self.shares_at(step), carry, seed, 'alternate', step)
        return {source: turns[source] * size for source, size in self.batch_size.items()}, carry

    def mean(self, step: int) -> dict[str, Fraction]:
        """Give the batch size of each source, times the share of its turns.

        Args:
            step (int): Step within the phase.

        Returns:
            dict[str, Fraction]: Images by source.
        """
        return {s: self.batch_size[s] * share for s, share in self.shares_at(step).items()}

    def most(self) -> dict[str, int]:
        """Give the batch sizes: a turn takes as many images, however rare it is.

        Returns:
            dict[str, int]: Images by source.
        """
        return self.batch_size
