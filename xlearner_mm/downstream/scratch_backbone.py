"""A backbone of random weights."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .backbone import Backbone


@dataclass(frozen=True)
class ScratchBackbone(Backbone):
    """The architecture of another backbone with random weights: what pre-training has to beat.

    Attributes:
        like (Backbone): The other one.
    """

    like: Backbone

    def probe_config(self, folder: Path) -> dict[str, Any]:
        """Give a config for frozen features, see :class:`Backbone`."""
        return _without_weights(self.like.probe_config(folder))

    def stock_config(self, library: str, folder: Path) -> dict[str, Any]:
        """Give the config of a stock backbone, see :class:`Backbone`."""
        return _without_weights(self.like.stock_config(library, folder))


def _without_weights(cfg: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in cfg.items() if key not in ('init_cfg', 'weights')}
