"""Which samples are due at a step."""

import math
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from typing import Any

import numpy as np
from mmengine.dataset import DefaultSampler
from mmengine.dist import get_dist_info
from torch.utils.data import Sampler

from xlearner_mm.registry import DATA_SAMPLERS

from .alternate_schedule import AlternateSchedule
from .batch_schedule import BatchSchedule
from .joint_schedule import JointSchedule
from .key_batch import KeyBatch
from .mixed_schedule import MixedSchedule
from .multi_source_dataset import MultiSourceDataset
from .permutation import shuffled

# Samples of a rank whose indices are computed together, and steps that are planned together at most.
_BLOCK, _MAX_STEPS = 16384, 1024


@DATA_SAMPLERS.register_module()
class MultiSourceBatchSampler(Sampler):
    """Draw endless batches from several sources (ours).

    Each source is an endless sequence, shuffled anew each time it has been gone through. A step takes the next samples
    of the sources that its schedule names, in equal parts by rank. So what is due depends on the seed and on the
    position in each sequence only: a state of a few integers that does not depend on the number of ranks.

    A data loader fetches ahead of the training; so the train loop keeps the state of what was trained itself, by
    :meth:`next_state`, and an iterator starts at the state that was set last.

    Args:
        sampler (DefaultSampler): mmengine's; it carries the data set and the seed.
        batch_size (dict[str, int] or int): Images of each source, a step and a rank; for ``mixed`` of all together.
        schedule (str): ``joint``: every source at every step. ``mixed``: a batch split by ratios. ``alternate``: one
            source a step.
        ratios (dict, str or list, optional): Of images (``mixed``) or turns (``alternate``), see :func:`parse_ratios`.
        no_repeat (Sequence[str]): Sources that are gone through only once: batches end when one of them is used up.

    Attributes:
        sizes (dict[str, int]): Number of samples by source.
        no_repeat (tuple[str, ...]): As above.

    Raises:
        TypeError: If there is no sampler of a :class:`MultiSourceDataset`, or a setting is of another type.
        ValueError: If batch sizes or ratios do not fit the data set's sources, the schedule is unknown, or a step takes
            more of a source than there is and may not repeat.
    """

    SCHEDULES: dict[str, Any] = dict(joint=JointSchedule, mixed=MixedSchedule, alternate=AlternateSchedule)

    def __init__(self,
                 sampler: DefaultSampler,
                 batch_size: Any,
                 schedule: str = 'joint',
                 ratios: Any = None,
                 no_repeat: Sequence[str] = ()) -> None:
        self.sizes = _sizes_of(sampler)
        if schedule not in self.SCHEDULES:
            raise ValueError(f'train_dataloader.batch_sampler.schedule={schedule!r} must be one of '
                             f'{", ".join(self.SCHEDULES)}.')
        # Hooks of mmengine read the attribute "sampler".
        self.sampler = sampler
        self._name = schedule
        self._schedule: BatchSchedule = self.SCHEDULES[schedule](batch_size, self.sizes, ratios)
        self.no_repeat = self._check_no_repeat(no_repeat)
        self._state = self.initial_state()

    def __len__(self) -> int:
        """Steps in which the slowest source is gone through once; schedules by epoch and logs ask for it."""
        world_size = get_dist_info()[1]
        # By exact fractions: 1 / (1 / 49) is more than 49 for floats.
        means = self._schedule.mean(0)
        return max(math.ceil(self.sizes[source] / (mean * world_size)) for source, mean in means.items() if mean)

    def __iter__(self) -> Iterator[KeyBatch]:
        """Give the batches of this rank from the state that was set last, until a source is used up."""
        state, steps, world_size = self._state, 1, get_dist_info()[1]
        while True:
            first, quotas = state, []
            for _ in range(steps):
                images, behind = self._advance(state, world_size)
                if self.used_up(behind):
                    break
                quotas.append(images)
                state = behind
            yield from self._batches(first, quotas)
            if len(quotas) < steps:
                return
            # The first batch comes at once; then as many are computed together as is quickest.
            images_a_step = sum(sum(images.values()) for images in quotas) / steps
            steps = max(1, min(steps * 4, _MAX_STEPS, int(_BLOCK / images_a_step)))

    def initial_state(self) -> dict[str, Any]:
        """Give the state before the first step.

        Returns:
            dict: Plain values for a checkpoint: ``seed``, ``schedule``, ``step`` (of the phase), ``carry`` (what the
                schedule still owes, as fractions), and ``positions`` (samples drawn on all ranks together) and
                ``sizes`` by source.
        """
        return dict(seed=int(self.sampler.seed), schedule=self._name, step=0, carry={},
                    positions={s: 0 for s in self.sizes}, sizes=dict(self.sizes))

    def next_state(self, state: Mapping[str, Any]) -> dict[str, Any]:
        """Give the state after the step that is due; nothing else changes.

        Args:
            state (Mapping): State before the step.

        Returns:
            dict: State behind it.
        """
        return self._advance(state, get_dist_info()[1])[1]

    def next_phase(self, state: Mapping[str, Any], step: int = 0) -> dict[str, Any]:
        """Give the state in which a phase begins: each source goes on at its position.

        Args:
            state (Mapping): State at the end of the phase before, maybe of another schedule.
            step (int): Step within the new phase.

        Returns:
            dict: Its first state.
        """
        return dict(state, schedule=self._name, step=step, carry={})

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Let the next iterator start here. The seed is the state's, so that a resumed run keeps its order.

        Args:
            state (Mapping): What :meth:`initial_state`, :meth:`next_state` or :meth:`next_phase` gave.

        Raises:
            ValueError: If the schedule, the sources or their sizes are not those of the state.
        """
        saved = state['sizes']
        changes = [f'{source!r} is new' for source in self.sizes if source not in saved]
        changes += [f'{source!r} is gone' for source in saved if source not in self.sizes]
        changes += [f'{source!r} had {saved[source]} samples and has {size}' for source, size in self.sizes.items()
                    if source in saved and saved[source] != size]
        if changes:
            raise ValueError(f'The data has changed since the position was saved: {"; ".join(changes)}. The run cannot '
                             'go on where it was: use the data of before, or start anew with load_from, not resume.')
        if state['schedule'] != self._name:
            raise ValueError(f"The position was saved with schedule={state['schedule']!r}, and "
                             f'train_dataloader.batch_sampler.schedule is {self._name!r}: resume with the same one, or '
                             'start anew with load_from, not resume.')
        self._state = dict(state)

    def used_up(self, state: Mapping[str, Any]) -> list[str]:
        """Find the sources that may not repeat and of which a state has drawn more than there is.

        Args:
            state (Mapping): State of the sampler.

        Returns:
            list[str]: Sources.
        """
        return [source for source in self.no_repeat if state['positions'][source] > self.sizes[source]]

    def images_a_step(self, step: int = 0) -> dict[str, float]:
        """Give the images of each source, on all ranks together and on average.

        Args:
            step (int): Step within the phase whose ratios hold.

        Returns:
            dict[str, float]: Images by source.
        """
        world_size = get_dist_info()[1]
        return {source: float(mean * world_size) for source, mean in self._schedule.mean(step).items()}

    def images_between(self, start: int, end: int) -> dict[str, float]:
        """Give the images of each source in a range of steps of a phase, on all ranks together.

        Args:
            start (int): First step.
            end (int): Step behind the last one.

        Returns:
            dict[str, float]: Images by source, exact but for what is carried over.
        """
        bounds = [*sorted({start, *(step for step, _ in self._schedule.shares if start < step < end)}), end]
        images = dict.fromkeys(self.sizes, 0.0)
        for first, behind in zip(bounds, bounds[1:], strict=False):
            for source, mean in self.images_a_step(first).items():
                images[source] += mean * max(0, behind - first)
        return images

    def _advance(self, state: Mapping[str, Any], world_size: int) -> tuple[dict[str, int], dict[str, Any]]:
        """Give what is due in a state, as images of each source for a rank, and the state behind it."""
        carry = {source: Fraction(value) for source, value in state['carry'].items()}
        images, carry = self._schedule.due(state['step'], carry, state['seed'], world_size)
        positions = {source: position + images[source] * world_size for source, position in state['positions'].items()}
        behind = dict(state, step=state['step'] + 1, positions=positions, carry={s: str(v) for s, v in carry.items()})
        return images, behind

    def _batches(self, state: Mapping[str, Any], quotas: Sequence[Mapping[str, int]]) -> Iterator[KeyBatch]:
        """Give this rank's batches of some steps, their indices computed together."""
        rank, world_size = get_dist_info()
        lookups, bounds = {}, {}
        for source, size in self.sizes.items():
            counts = np.array([images[source] for images in quotas], dtype=np.int64)
            ends = np.cumsum(counts)
            # Of the counts * world_size samples of a step a rank has its own part, in one piece.
            firsts = state['positions'][source] + (ends - counts) * world_size + counts * rank
            positions = np.repeat(firsts - (ends - counts), counts) + np.arange(counts.sum())
            lookups[source] = shuffled(positions, size, state['seed'], source)
            bounds[source] = [0, *ends.tolist()]
        for step, images in enumerate(quotas):
            parts = []
            for source, (epochs, indices) in lookups.items():
                if images[source]:
                    part = slice(bounds[source][step], bounds[source][step + 1])
                    parts.append((source, epochs[part], indices[part]))
            yield KeyBatch(state['seed'], parts)

    def _check_no_repeat(self, no_repeat: Sequence[str]) -> tuple[str, ...]:
        unknown = [no_repeat] if isinstance(no_repeat, str) else [s for s in no_repeat if s not in self.sizes]
        if unknown:
            raise ValueError(f'train_dataloader.batch_sampler.no_repeat={no_repeat!r} must be a list of sources out of '
                             f'{list(self.sizes)}.')
        for source in no_repeat:
            images = self._schedule.most()[source] * get_dist_info()[1]
            if images > self.sizes[source]:
                raise ValueError(f'A step takes {images} samples of source {source!r} on all ranks together, which has '
                                 f'{self.sizes[source]} and may not repeat. Lower train_dataloader.batch_size or its '
                                 'ratio, or let it repeat (no_repeat).')
        return tuple(no_repeat)


def _sizes_of(sampler: Any) -> dict[str, int]:
    """Give the sizes of the sources of the sampler's data set."""
    if sampler is None or not hasattr(sampler, 'seed'):
        raise TypeError('MultiSourceBatchSampler needs a sampler that carries the data set and the seed. Set '
                        f"train_dataloader.sampler=dict(type='DefaultSampler', shuffle=False); got {sampler!r}.")
    if not isinstance(sampler.dataset, MultiSourceDataset):
        raise TypeError(f'MultiSourceBatchSampler draws from a MultiSourceDataset, got '
                        f"{type(sampler.dataset).__name__}. Set train_dataloader.dataset=dict(type="
                        "'xlearner_mm.MultiSourceDataset', sources=...).")
    return sampler.dataset.sizes
