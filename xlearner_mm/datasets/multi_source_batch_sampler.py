"""Which samples are due at a step."""

import math
from collections.abc import Iterator, Mapping
from typing import Any, Optional

import numpy as np
from mmengine.dataset import DefaultSampler
from mmengine.dist import get_dist_info
from torch.utils.data import Sampler

from xlearner_mm.registry import DATA_SAMPLERS
from xlearner_mm.utils import as_dict_by_source

from .multi_source_dataset import MultiSourceDataset
from .permutation import shuffled
from .sample import SampleKey

# Samples of a source whose indices are computed together.
_BLOCK = 8192


@DATA_SAMPLERS.register_module()
class MultiSourceBatchSampler(Sampler):
    """Draw endless batches with samples of every source (ours).

    Each source is an endless sequence, shuffled anew each time it has been gone through. A step takes the next
    ``batch_size[source] * world_size`` samples of each, in equal parts by rank. So what is due depends on the seed and
    the position in each sequence only: a state of a few integers that does not depend on the number of ranks.

    A data loader fetches ahead of the training; so the train loop keeps the state of what was trained itself, by
    :meth:`next_state`, and an iterator starts at the state that was set last.

    Args:
        sampler (DefaultSampler): mmengine's; it carries the data set and the seed.
        batch_size (dict[str, int]): Images of each source, a step and a rank.
        schedule (str): ``joint``: every source at every step.

    Raises:
        TypeError: If there is no sampler of a :class:`MultiSourceDataset`, or a batch size is no integer.
        ValueError: If the batch sizes do not fit the data set's sources, or the schedule is unknown.
    """

    SCHEDULES = ('joint', )

    def __init__(self, sampler: DefaultSampler, batch_size: Mapping[str, int], schedule: str = 'joint') -> None:
        if sampler is None or not hasattr(sampler, 'seed'):
            raise TypeError('MultiSourceBatchSampler needs a sampler that carries the data set and the seed. Set '
                            f"train_dataloader.sampler=dict(type='DefaultSampler', shuffle=False); got {sampler!r}.")
        if not isinstance(sampler.dataset, MultiSourceDataset):
            raise TypeError(f'MultiSourceBatchSampler draws from a MultiSourceDataset, got '
                            f"{type(sampler.dataset).__name__}. Set train_dataloader.dataset=dict(type="
                            "'xlearner_mm.MultiSourceDataset', sources=...).")
        if schedule not in self.SCHEDULES:
            raise ValueError(f'train_dataloader.batch_sampler.schedule={schedule!r} must be one of '
                             f'{", ".join(self.SCHEDULES)}.')
        # Hooks of mmengine read the attribute "sampler".
        self.sampler = sampler
        self.sizes = sampler.dataset.sizes
        self.batch_size = _check_batch_size(batch_size, self.sizes)
        self._state = self.initial_state()

    def __len__(self) -> int:
        """Steps in which the slowest source is gone through once; schedules by epoch and logs ask for it."""
        world_size = get_dist_info()[1]
        return max(math.ceil(size / (self.batch_size[source] * world_size)) for source, size in self.sizes.items())

    def __iter__(self) -> Iterator[list[SampleKey]]:
        """Give the batches of this rank from the state that was set last, without an end."""
        state = self._state
        batches = [self._batches(source, state['positions'][source], state['seed']) for source in self.sizes]
        while True:
            yield [key for part in batches for key in next(part)]

    def initial_state(self) -> dict[str, Any]:
        """Give the state before the first step.

        Returns:
            dict: Plain values for a checkpoint: ``seed``, ``step`` (of the phase), and ``positions`` (samples drawn on
                all ranks together) and ``sizes`` by source.
        """
        return dict(seed=int(self.sampler.seed), step=0, positions={s: 0 for s in self.sizes}, sizes=dict(self.sizes))

    def next_state(self, state: Mapping[str, Any]) -> dict[str, Any]:
        """Give the state after the step that is due; nothing else changes.

        Args:
            state (Mapping): State before the step.

        Returns:
            dict: State behind it.
        """
        world_size = get_dist_info()[1]
        positions = {s: p + self.batch_size[s] * world_size for s, p in state['positions'].items()}
        return dict(state, step=state['step'] + 1, positions=positions)

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Let the next iterator start here. The seed is the state's, so that a resumed run keeps its order.

        Args:
            state (Mapping): What :meth:`initial_state` or :meth:`next_state` gave.

        Raises:
            ValueError: If the sources or their sizes are not those of the state.
        """
        saved = state['sizes']
        changes = [f'{source!r} is new' for source in self.sizes if source not in saved]
        changes += [f'{source!r} is gone' for source in saved if source not in self.sizes]
        changes += [f'{source!r} had {saved[source]} samples and has {size}' for source, size in self.sizes.items()
                    if source in saved and saved[source] != size]
        if changes:
            raise ValueError(f'The data has changed since the position was saved: {"; ".join(changes)}. The run cannot '
                             'go on where it was: use the data of before, or start anew with load_from, not resume.')
        self._state = dict(state)

    def _batches(self, source: str, position: int, seed: int) -> Iterator[list[SampleKey]]:
        """Give the part of one source in each batch of this rank; indices are computed many steps at a time."""
        rank, world_size = get_dist_info()
        size, batch_size = self.sizes[source], self.batch_size[source]
        # No more than an epoch at once: each one needs a permutation of its own.
        steps = max(1, min(_BLOCK, size) // batch_size // world_size)
        starts = (np.arange(steps) * world_size + rank) * batch_size
        offsets = starts[:, None] + np.arange(batch_size)
        while True:
            epochs, indices = shuffled(position + offsets, size, seed, source)
            for step in range(steps):
                yield [SampleKey(source, epoch, index, seed)
                       for epoch, index in zip(epochs[step].tolist(), indices[step].tolist(), strict=True)]
            position += steps * batch_size * world_size


def _check_batch_size(batch_size: Optional[Mapping[str, int]], sizes: Mapping[str, int]) -> dict[str, int]:
    """Give the batch sizes in the order of the sources, or refuse them."""
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
