"""Every source at every step."""

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from .batch_schedule import BatchSchedule, check_batch_sizes
from .ratios import Shares


class JointSchedule(BatchSchedule):
    """Take every source at every step, each with its own batch size (ours; the paper does not say).

    Args:
        batch_size (dict[str, int]): Images of each source, a step and a rank.
        sizes (Mapping[str, int]): Number of samples by source.
        ratios (optional): None; the batch sizes say all.

    Raises:
        TypeError: If a batch size is no integer, or there are ratios.
        ValueError: If the batch sizes do not fit the sources.
    """

    def __init__(self, batch_size: Any, sizes: Mapping[str, int], ratios: Any = None) -> None:
        if ratios is not None:
            raise TypeError(f"train_dataloader.batch_sampler.ratios={ratios!r} are not for schedule='joint', whose "
                            "batch sizes say all. Take them out, or use 'mixed' or 'alternate'.")
        self.batch_size = check_batch_sizes(batch_size, sizes)
        self.shares = [(0, {})]

    def due(self, step: int, carry: Mapping[str, Fraction], seed: int,
            world_size: int) -> tuple[dict[str, int], Shares]:
        """Give the batch sizes.

        Args:
            step (int): Step within the phase.
            carry (Mapping[str, Fraction]): Nothing.
            seed (int): Seed of the run.
            world_size (int): Number of ranks.

        Returns:
            tuple[dict[str, int], dict[str, Fraction]]: Images of each source for a rank, and nothing to carry over.
        """
        return self.batch_size, {}

    def mean(self, step: int) -> dict[str, Fraction]:
        """Give the batch sizes.

        Args:
            step (int): Step within the phase.

        Returns:
            dict[str, Fraction]: Images by source.
        """
        return {source: Fraction(size) for source, size in self.batch_size.items()}
