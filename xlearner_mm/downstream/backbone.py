"""A backbone that a downstream suite compares."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .pixels import Pixels


@dataclass(frozen=True)
class Backbone:
    """A backbone with its weights, as it can be put into stock configs.

    Attributes:
        name (str): How tables name it.
        pixels (Pixels): Normalisation that its weights were trained with.
        digest (str): Changes with its weights and its architecture.
    """

    name: str
    pixels: Pixels
    digest: str

    def probe_config(self, folder: Path) -> dict[str, Any]:
        """Give a config for frozen features.

        Args:
            folder (Path): Where files may be written.

        Returns:
            dict: Config of a module that gives maps, tokens or a vector.
        """
        return self.stock_config('mmpretrain', folder)

    def stock_config(self, library: str, folder: Path) -> dict[str, Any]:
        """Give the config of a stock backbone.

        Args:
            library (str): ``mmdet``, ``mmseg`` or ``mmpretrain``.
            folder (Path): Where files may be written.

        Returns:
            dict: With a prefixed type, and an ``init_cfg`` that loads the weights.

        Raises:
            ValueError: If the library has no such backbone.
        """
        raise NotImplementedError(f'{type(self).__name__} must define stock_config().')
