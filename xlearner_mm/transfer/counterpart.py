"""What another library has in place of a trained backbone."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from xlearner_mm.models.expansion import StagedBackbone


class Counterpart:
    """A network of a library, and the weights of a trained backbone under the names that they have there.

    Args:
        target (str): The library.
        state (Mapping[str, Tensor]): The weights.
        exact (bool): Whether both do the same operations, so that features are equal bit for bit.
        sizes (Sequence[int]): Heights, which are widths too, of the images that they are compared on.
        notes (Sequence[str]): What a user should know of the network.
    """

    def __init__(self, target: str, state: Mapping[str, Tensor], exact: bool = True, sizes: Sequence[int] = (64, ),
                 notes: Sequence[str] = ()) -> None:
        self.target, self.state, self.exact = target, dict(state), exact
        self.sizes, self.notes = tuple(sizes), tuple(notes)

    def build(self) -> nn.Module:
        """Build the network with random weights.

        Returns:
            nn.Module: The network.

        Raises:
            ImportError: If the library is not installed.
            ValueError: If the library cannot build it.
        """
        raise NotImplementedError(f'{type(self).__name__} must define build().')

    def file_state(self, form: str) -> dict[str, Tensor]:
        """Give the weights under the keys that a file has.

        Args:
            form (str): Format of the file.

        Returns:
            dict[str, Tensor]: The weights.
        """
        return self.state

    def load(self, path: Path, form: str) -> nn.Module:
        """Build the network and load a file, as the lines that :meth:`usage` gives do.

        Args:
            path (Path): The file.
            form (str): Its format.

        Returns:
            nn.Module: The network.
        """
        raise NotImplementedError(f'{type(self).__name__} must define load().')

    def usage(self, path: Path, form: str) -> list[str]:
        """Say how a user loads a file.

        Args:
            path (Path): The file.
            form (str): Its format.

        Returns:
            list[str]: Lines to paste.
        """
        raise NotImplementedError(f'{type(self).__name__} must define usage().')

    def compare(self, network: Any, staged: StagedBackbone, images: Tensor) -> dict[str, tuple[Tensor, Tensor]]:
        """Run both networks.

        Args:
            network (nn.Module): The loaded network, in eval mode.
            staged (StagedBackbone): The trained backbone, in eval mode.
            images (Tensor): ``(N, 3, H, W)``.

        Returns:
            dict[str, tuple[Tensor, Tensor]]: What the network and what the trained backbone gives, by place.
        """
        raise NotImplementedError(f'{type(self).__name__} must define compare().')
