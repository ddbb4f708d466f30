"""How many samples each source has passed over."""

import logging
from collections.abc import Mapping
from typing import Any

import torch
from mmengine.dist import all_reduce
from mmengine.logging import print_log

from xlearner_mm.datasets import SampleError


class SkipCounter:
    """Count samples that were passed over, on all ranks, and stop a run that skips too many (ours).

    Args:
        max_skip_shares (Mapping[str, float]): Largest share of a source's samples that may be skipped.

    Attributes:
        counts (dict[str, dict[str, int]]): By source the numbers ``skipped`` (could not be loaded) and ``dropped`` (by
            the pipeline); plain values for a checkpoint.
    """

    REASONS = ('skipped', 'dropped')
    GRACE = 10
    """So many may be skipped whatever the share: at the beginning of a run one is already a large one."""

    def __init__(self, max_skip_shares: Mapping[str, float]) -> None:
        self._max_shares = max_skip_shares
        self.counts: dict[str, dict[str, int]] = {}

    def count(self, data_batch: Mapping[str, Any], positions: Mapping[str, int]) -> None:
        """Count what was passed over for a batch.

        Args:
            data_batch (Mapping[str, dict]): Batch of this rank by source; all ranks have the same sources.
            positions (Mapping[str, int]): Samples drawn of each source on all ranks, this batch included.

        Raises:
            SampleError: If more samples of a source were skipped than allowed.
        """
        passed = torch.tensor([[sum(len(sample.get(reason, ())) for sample in batch['data_samples'])
                                for reason in self.REASONS] for batch in data_batch.values()])
        all_reduce(passed)
        for source, numbers in zip(data_batch, passed.tolist(), strict=True):
            if any(numbers):
                counts = self.counts.setdefault(source, dict.fromkeys(self.REASONS, 0))
                for reason, number in zip(self.REASONS, numbers, strict=True):
                    counts[reason] += number
                self._report(source, counts, positions[source])

    def _report(self, source: str, counts: Mapping[str, int], drawn: int) -> None:
        """Tell the numbers of a source, and stop if they are too large."""
        text = (f'Source {source!r}: of {drawn} samples so far {counts["skipped"]} could not be loaded and were '
                f'skipped, {counts["dropped"]} were dropped by the pipeline.')
        print_log(text, logger='current', level=logging.WARNING)
        if counts['skipped'] > max(self.GRACE, self._max_shares[source] * drawn):
            raise SampleError(
                f'{text} That is more than max_skip_share={self._max_shares[source]} allows. The files are named in '
                f'the warnings above: mend or remove them, or raise max_skip_share in train_dataloader.dataset.sources.'
                f'{source}.')
