"""Small functions in processes of their own that are ranks of one group."""

import multiprocessing
import tempfile
from datetime import timedelta
from pathlib import Path

import pytest
import torch
import torch.distributed as dist


def _run(function, rank, ranks, folder):
    torch.set_num_threads(1)
    dist.init_process_group('gloo', init_method=f'file://{folder}/store', rank=rank, world_size=ranks,
                            timeout=timedelta(seconds=60))
    torch.save(function(rank), f'{folder}/{rank}.pth')
    dist.barrier()


def _in_ranks(function, ranks=2):
    """What a function of the rank returns, by rank. Forks, so that nothing is imported again."""
    fork = multiprocessing.get_context('fork')
    with tempfile.TemporaryDirectory() as folder:
        processes = [fork.Process(target=_run, args=(function, rank, ranks, folder), daemon=True)
                     for rank in range(ranks)]
        for process in processes:
            process.start()
        for process in processes:
            process.join(90)
        assert [process.exitcode for process in processes] == [0] * ranks
        return [torch.load(Path(folder, f'{rank}.pth')) for rank in range(ranks)]


@pytest.fixture
def in_ranks():
    return _in_ranks
