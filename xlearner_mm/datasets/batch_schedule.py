"""How many images of which source a step takes."""

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from fractions import Fraction
from typing import Any, Optional

from xlearner_mm.utils import as_dict_by_source

from .ratios import Shares


class BatchSchedule(ABC):
    """What is due at each step; the same on all ranks (ours).

    Attributes:
        shares (list[tuple[int, dict[str, Fraction]]]): Steps of the phase from which on other ratios hold, and these.
    """

    shares: list[tuple[int, Shares]]

    @abstractmethod
    def due(self, step: int, carry: Mapping[str, Fraction], seed: int,
            world_size: int) -> tuple[dict[str, int], Shares]:
        """Give what is due at a step.

        Args:
            step (int): Step within the phase.
            carry (Mapping[str, Fraction]): What the step before left to be carried over; empty at the first.
            seed (int): Seed of the run.
            world_size (int): Number of ranks.

        Returns:
            tuple[dict[str, int], dict[str, Fraction]]: Images of each source for a rank, and what is carried over.
        """

    @abstractmethod
    def mean(self, step: int) -> dict[str, Fraction]:
        """Give the images of each source for a rank, on average over the steps with the ratios of this one.

        Args:
            step (int): Step within the phase.

        Returns:
            dict[str, Fraction]: Images by source.
        """

    def most(self) -> dict[str, int]:
        """Give the most images of each source that one step takes on a rank.

        Returns:
            dict[str, int]: Images by source.
        """
        means = [self.mean(step) for step, _ in self.shares]
        return {source: math.ceil(max(mean[source] for mean in means)) for source in means[0]}

    def shares_at(self, step: int) -> Shares:
        """Look up the ratios that hold at a step.

        Args:
            step (int): Step within the phase.

        Returns:
            dict[str, Fraction]: Share by source.
        """
        return next(shares for start, shares in reversed(self.shares) if start <= step)


def check_batch_sizes(batch_size: Optional[Any], sizes: Mapping[str, int]) -> dict[str, int]:
    """Check batch sizes by source.

    Args:
        batch_size (dict[str, int]): The setting.
        sizes (Mapping[str, int]): Number of samples by source.

    Returns:
        dict[str, int]: Batch sizes in the order of the sources.

    Raises:
        TypeError: If one is no integer.
        ValueError: If they do not fit the sources, or one is not positive.
    """
    batch_size = as_dict_by_source(batch_size, 'train_dataloader.batch_size')
    missing = [source for source in sizes if source not in batch_size]
    unknown = [source for source in batch_size if source not in sizes]
    if missing or unknown:
        raise ValueError(f'train_dataloader.batch_size has no value for the sources {missing} and one for the unknown '
                         f'{unknown}. Give it one for each of {list(sizes)}.')
    for source, value in batch_size.items():
        if isinstance(value, bool) or not isinstance(value, int):
            raise TypeError(f'train_dataloader.batch_size.{source}={value!r} must be an integer, the images of source '
                            f'{source!r} a step and a rank.')
        if value < 1:
            raise ValueError(f'train_dataloader.batch_size.{source}={value} must be at least 1. To train without '
                             f'source {source!r}, take it out of the data set and the model.')
    return {source: batch_size[source] for source in sizes}
