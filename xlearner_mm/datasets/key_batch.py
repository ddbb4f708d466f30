"""The samples of a batch, by arrays."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from .sample import SampleKey


class KeyBatch(Sequence):
    """The keys of a batch, each made when it is asked for (ours).

    So a sampler costs no more than its arrays, and what goes to a loader's worker is small.

    Args:
        seed (int): Seed of the run.
        parts (Sequence[tuple[str, ndarray, ndarray]]): Source, epochs ``(N, )`` and indices ``(N, )``; sources in the
            order of the batch.
    """

    def __init__(self, seed: int, parts: Sequence[tuple[str, np.ndarray, np.ndarray]]) -> None:
        self.seed = seed
        self.parts = parts

    def __len__(self) -> int:
        """Number of samples."""
        return sum(len(indices) for _, _, indices in self.parts)

    def __iter__(self) -> Iterator[SampleKey]:
        """Give the keys, source by source."""
        for source, epochs, indices in self.parts:
            for epoch, index in zip(epochs.tolist(), indices.tolist(), strict=True):
                yield SampleKey(source, epoch, index, self.seed)

    def __getitem__(self, item: Any) -> Any:
        """Give a key, or a list of keys for a slice."""
        return list(self)[item]

    def __repr__(self) -> str:
        return f'KeyBatch({list(self)})'
