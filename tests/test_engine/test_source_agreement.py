import pytest
import torch

from rank_group import group, spawn
from xlearner_mm.engine.source_agreement import SourceAgreement

pytestmark = pytest.mark.compat

SOURCES = ['photos', 'boxes', 'maps']
# What each of three ranks is about to do: phase, source, backward passes.
CASES = dict(
    same=[[(0, 'photos', 1), (0, 'maps', 2)]] * 3,
    odd_one=[[(0, 'photos', 1)], [(0, 'photos', 1)], [(0, 'maps', 1)]],
    order=[[(0, 'photos', 1), (0, 'maps', 1)], [(0, 'maps', 1), (0, 'photos', 1)], [(0, 'photos', 1), (0, 'maps', 1)]],
    micro_batches=[[(0, 'photos', 1)], [(0, 'photos', 2)], [(0, 'photos', 1)]],
    phase=[[(0, 'photos', 1)], [(0, 'photos', 1)], [(1, 'photos', 1)]])


def agree(rank, world, port, folder):
    with group(rank, world, port):
        agreement, found = SourceAgreement(SOURCES), {}
        for name, parts in CASES.items():
            agreement.start(parts[rank])
            try:
                found[name] = agreement.check() or 'agreed'
            except RuntimeError as error:
                found[name] = str(error)
        torch.save(found, f'{folder}/{rank}.pth')


@pytest.fixture(scope='module')
def ranks(tmp_path_factory):
    return spawn(agree, 3, tmp_path_factory.mktemp('agree'), method='fork')


def test_ranks_that_do_the_same_go_on(ranks):
    assert [rank['same'] for rank in ranks] == ['agreed'] * 3


@pytest.mark.parametrize('case, told', [
    ('odd_one', 'rank 0: photos; rank 2: maps'),
    ('order', 'rank 0: photos, maps; rank 1: photos, maps'),
    ('micro_batches', 'rank 0: photos; rank 1: photos'),
    ('phase', 'rank 0: photos; rank 2: photos'),
])
def test_all_ranks_name_those_that_do_something_else(case, told, ranks):
    other = told.rsplit('rank ', 1)[1].split(':')[0]
    for number, rank in enumerate(ranks):
        assert ('The ranks have different sources in one step, or the same in another order, phase or number of '
                f'micro-batches: {told} (this is rank {number}; other than most: [{other}])') in rank[case]
