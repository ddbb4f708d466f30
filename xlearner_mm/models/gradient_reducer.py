"""What a train step asks of the other ranks."""

from collections.abc import Mapping, Sequence
from typing import Optional

from torch import Tensor


class GradientReducer:
    """One process alone: every gradient is the average already (ours).

    :class:`xlearner_mm.engine.BucketedReducer` does the same for several ranks. A train step calls :meth:`begin`, then
    :meth:`enter` before the backward passes of each source, then, if the optimizer is due, :meth:`finish`.

    Attributes:
        synced (bool): Whether gradients are averaged at all, see :meth:`MultiSourceDistributed.no_sync`.
    """

    synced = True

    def begin(self, phase: int, passes: Mapping[str, int], updates: bool, overlap: bool = True) -> None:
        """Begin an iteration.

        Args:
            phase (int): Phase of the model.
            passes (Mapping[str, int]): Backward passes by source, the same on all ranks.
            updates (bool): Whether the optimizer steps after it; otherwise gradients pile up and nothing is reduced.
            overlap (bool): Whether gradients may be reduced before :meth:`finish`.
        """

    def enter(self, source: str) -> None:
        """Go on with the backward passes of a source.

        Args:
            source (str): The source.
        """

    def finish(self, flags: Tensor) -> list[int]:
        """Average the gradients over the ranks, unless a flag is up.

        Args:
            flags (Tensor): Integers ``(F, )`` of this rank.

        Returns:
            list[int]: The largest of each over the ranks.
        """
        return flags.tolist()

    def average(self, gradients: Sequence[Optional[Tensor]], like: Sequence[Tensor]) -> list[Optional[Tensor]]:
        """Average other tensors than the parameters' gradients.

        Args:
            gradients (Sequence[Tensor, optional]): None where this rank has none; it counts as zero.
            like (Sequence[Tensor]): Tensors of the same shapes.

        Returns:
            list[Tensor, optional]: Averages; None where no rank has one.
        """
        return list(gradients)
