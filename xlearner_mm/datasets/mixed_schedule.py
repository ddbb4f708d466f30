"""One batch size for all sources together, split by ratios."""

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from .apportion import apportion
from .batch_schedule import BatchSchedule
from .ratios import Shares, parse_ratios


class MixedSchedule(BatchSchedule):
    """Split a total batch size by ratios; remainders are carried over, so that the ratios hold exactly (ours).

    Ranks have equal parts of each source, so every rank splits the same total. The carry counts the images of all
    ranks: it keeps its meaning when a run goes on with another number of them.

    Args:
        batch_size (int): Images of all sources together, a step and a rank.
        sizes (Mapping[str, int]): Number of samples by source.
        ratios (dict, str or list): See :func:`parse_ratios`.

    Raises:
        TypeError: If the batch size is no integer, or ratios are of another form.
        ValueError: If the batch size is not positive, or a source is never drawn from.
    """

    def __init__(self, batch_size: Any, sizes: Mapping[str, int], ratios: Any = None) -> None:
        if isinstance(batch_size, bool) or not isinstance(batch_size, int):
            raise TypeError(f"train_dataloader.batch_size={batch_size!r} must be an integer for schedule='mixed': the "
                            'images of all sources together, a step and a rank.')
        if batch_size < 1:
            raise ValueError(f'train_dataloader.batch_size={batch_size} must be at least 1.')
        self.total = batch_size
        self.shares = parse_ratios(ratios, sizes)

    def due(self, step: int, carry: Mapping[str, Fraction], seed: int,
            world_size: int) -> tuple[dict[str, int], Shares]:
        """Split the batch size by the ratios of the step.

        Args:
            step (int): Step within the phase.
            carry (Mapping[str, Fraction]): Images of all ranks that each source still had to get.
            seed (int): Seed of the run.
            world_size (int): Number of ranks.

        Returns:
            tuple[dict[str, int], dict[str, Fraction]]: Images of each source for a rank, and the new carry.
        """
        of_a_rank = {source: images / world_size for source, images in carry.items()}
        parts, left = apportion(self.total, self.shares_at(step), of_a_rank, seed, 'mixed', step)
        return parts, {source: images * world_size for source, images in left.items()}

    def mean(self, step: int) -> dict[str, Fraction]:
        """Give the exact part of each source.

        Args:
            step (int): Step within the phase.

        Returns:
            dict[str, Fraction]: Images by source.
        """
        return {source: self.total * share for source, share in self.shares_at(step).items()}
