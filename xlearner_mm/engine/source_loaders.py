"""Several stock data loaders as one."""

from collections.abc import Iterator, Mapping
from typing import Any

from torch.utils.data import DataLoader


class SourceLoaders:
    """One stock data loader a source, one after the other, with a length as hooks and logs expect of a loader.

    Args:
        loaders (Mapping[str, DataLoader]): Loader by source.
        mode (str): What they are for, ``val`` or ``test``.

    Raises:
        ValueError: If a loader has no samples.
    """

    def __init__(self, loaders: Mapping[str, DataLoader], mode: str = 'val') -> None:
        for source, loader in loaders.items():
            if len(loader) == 0:
                kind = dict(val='validation').get(mode, mode)
                raise ValueError(f'The {kind} data of source {source!r} has no samples. Mend the paths and filters in '
                                 f'{mode}_dataloader.{source}.dataset, or take the source out.')
        self.loaders = dict(loaders)

    def __len__(self) -> int:
        """Number of batches of all sources."""
        return sum(len(loader) for loader in self.loaders.values())

    def __iter__(self) -> Iterator[tuple[str, Any]]:
        """Give every batch with the name of its source."""
        for source, loader in self.loaders.items():
            for batch in loader:
                yield source, batch
