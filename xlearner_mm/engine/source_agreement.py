"""That all ranks have the same sources in a step."""

from collections import Counter
from collections.abc import Sequence
from typing import Any, Optional

import torch
import torch.distributed as dist

from xlearner_mm.utils import derive_seed


class SourceAgreement:
    """Compare what the ranks are about to do, while they do it (ours).

    Ranks that do different things wait for each other's messages for ever, or average what does not belong together.

    Args:
        sources (Sequence[str]): All sources.
    """

    def __init__(self, sources: Sequence[str]) -> None:
        self._sources = list(sources)
        # Of its own, for messages of the CPU: no device has to be waited for, and no order kept with other messages.
        self._group: Any = dist.new_group(backend='gloo')
        self._work: Optional[dist.Work] = None
        self._all = torch.zeros(0)

    def start(self, parts: Sequence[tuple[int, str, int]]) -> None:
        """Tell the others what this rank does.

        Args:
            parts (Sequence[tuple[int, str, int]]): Phase, source and number of backward passes, in order.
        """
        self._all = torch.zeros(dist.get_world_size(), 2, dtype=torch.int64)
        present = {source for _, source, _ in parts}
        self._all[dist.get_rank(), 0] = sum(1 << i for i, s in enumerate(self._sources[:62]) if s in present)
        self._all[dist.get_rank(), 1] = derive_seed(*(str(part) for part in parts)) % 2**62
        self._work = dist.all_reduce(self._all, group=self._group, async_op=True)

    def check(self) -> None:
        """Wait for what the others do, once a step.

        Raises:
            RuntimeError: If it is something else.
        """
        if self._work is None:
            return
        self._work.wait()
        self._work = None
        rows = [tuple(row) for row in self._all.tolist()]
        usual, count = Counter(rows).most_common(1)[0]
        if count == len(rows):
            return
        other = [rank for rank, row in enumerate(rows) if row != usual]
        told = '; '.join(f'rank {rank}: {self._names(rows[rank][0])}' for rank in [rows.index(usual), *other][:8])
        raise RuntimeError(
            'The ranks have different sources in one step, or the same in another order, phase or number of '
            f'micro-batches: {told} (this is rank {dist.get_rank()}; other than most: {other}). Use '
            'xlearner_mm.MultiSourceBatchSampler with the same config, seed and data on all ranks.')

    def _names(self, bits: int) -> str:
        return ', '.join(s for i, s in enumerate(self._sources[:62]) if bits >> i & 1) or 'none'
