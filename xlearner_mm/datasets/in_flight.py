"""What a loader's workers are at, for the case that one dies."""

import os
import re
from collections.abc import Sequence

import torch
from torch.utils.data import get_worker_info

from .sample import SampleKey


class InFlight:
    """Note what each worker of a data loader loads, in memory that outlives it (ours).

    torch reports the process of a worker that was killed (out of memory, or a fault in a decoder) and nothing of what
    it was doing.

    Args:
        sources (Sequence[str]): Names of the sources.
        num_workers (int): Workers of the loader.
    """

    def __init__(self, sources: Sequence[str], num_workers: int) -> None:
        self._sources = list(sources)
        self._slots = torch.zeros(num_workers, 4, dtype=torch.int64).share_memory_()

    def note(self, key: SampleKey) -> None:
        """Note that this process begins with a sample; nothing is noted in the main process.

        Args:
            key (SampleKey): The sample.
        """
        worker = get_worker_info()
        if worker is not None:
            slot = self._slots[worker.id].numpy()
            slot[:] = os.getpid(), self._sources.index(key.source), key.epoch, key.index

    def explain(self, error: BaseException, dead: Sequence[int] = ()) -> list[tuple[int, str, int, int]]:
        """Look up what the workers that an error of the loader names were at.

        Args:
            error (BaseException): For instance "DataLoader worker (pid 71) is killed by signal: Killed."
            dead (Sequence[int]): Processes that are known to have died, for errors of a broken connection to one.

        Returns:
            list[tuple[int, str, int, int]]: Process, source, epoch and index of each.
        """
        if 'DataLoader' not in str(error):
            named = set(dead) if isinstance(error, (OSError, EOFError)) else set()
        else:
            named = {int(number) for text in re.findall(r'pid(?:\(s\))? ([\d, ]+)', str(error))
                     for number in re.findall(r'\d+', text)}
        return [(pid, self._sources[source], epoch, index) for pid, source, epoch, index in self._slots.tolist()
                if pid in named]
