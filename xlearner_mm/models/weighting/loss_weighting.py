"""What a weighting of the sources' losses is."""

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor, nn


class LossWeighting(nn.Module):
    """Weigh the losses of the sources in training, on top of the ``loss_weight`` of their branches (ours).

    As it is, it changes nothing. What a subclass has to remember belongs into parameters and persistent buffers that
    are equal on all ranks: the checkpoint has those of the first rank.

    Args:
        sources (Sequence[str]): All sources, in the order of the config.
    """

    needs_gradients: bool = False

    def __init__(self, sources: Sequence[str]) -> None:
        super().__init__()
        self.sources = list(sources)

    def weigh(self, source: str, losses: dict[str, Any]) -> dict[str, Any]:
        """Weigh the losses of a source.

        Args:
            source (str): The source.
            losses (dict[str, Tensor or list[Tensor]]): By stock key; what has "loss" in its key is back-propagated.

        Returns:
            dict[str, Tensor or list[Tensor]]: The same keys, and others.
        """
        return losses

    def after_step(self, totals: Mapping[str, Tensor]) -> None:
        """Take note of what the losses were. All ranks call it, with the same sources.

        Args:
            totals (Mapping[str, Tensor]): Scalar total by source of this step, before :meth:`weigh`, of this rank.
        """

    def start_phase(self) -> None:
        """Forget what the losses of another phase were; a resumed phase is not started."""
