"""Small functions in processes of their own that are ranks of one group."""

import pytest
import torch

from rank_group import group, spawn


def _run(rank, world, port, folder, function):
    with group(rank, world, port):
        torch.save(function(rank), f'{folder}/{rank}.pth')


@pytest.fixture
def in_ranks(tmp_path):
    """What a function of the rank returns, by rank."""

    def _in_ranks(function, ranks=2):
        return spawn(_run, ranks, tmp_path, function, method='fork')

    return _in_ranks
