import pytest
import torch
from mmengine.optim import OptimWrapper

from ranks import build, spawn, train_cases, train_in_turn
from tiny import batches
from xlearner_mm.engine import MultiSourceDistributed

pytestmark = pytest.mark.compat

CASES = [('joint', 1), ('mixed', 1), ('alternate', 3)]
RANKS, STEPS = 2, 4


@pytest.fixture(scope='module')
def ranks(tmp_path_factory):
    return spawn(train_cases, RANKS, tmp_path_factory.mktemp('ranks'), CASES, STEPS)


def test_all_ranks_start_as_the_first(ranks):
    own = build(seed=0).state_dict()
    for rank in ranks:
        assert all(torch.equal(v, own[k]) for k, v in rank['joint', 1]['start'].items())


@pytest.mark.parametrize('case', CASES)
def test_ranks_equal_their_batches_in_turn_on_one_process(ranks, case):
    for name, value in train_in_turn(RANKS, case[0], STEPS, case[1]).items():
        assert torch.equal(ranks[0][case]['trained'][name], ranks[1][case]['trained'][name]), name
        torch.testing.assert_close(ranks[0][case]['trained'][name], value, rtol=1e-5, atol=1e-6, msg=name)


@pytest.mark.parametrize('case', CASES)
def test_a_step_reduces_one_copy_of_the_gradients_in_use_while_backward_goes_on(ranks, case):
    for rank in ranks:
        assert rank[case]['reduced'] == rank[case]['in_use'] and all(rank[case]['in_use'])
    learned = 3 if case[0] == 'mixed' else 1  # steps until every source was seen
    assert all(number > 3 for number in ranks[0][case]['overlapped'][learned:])


def test_parameters_that_no_rank_uses_are_passed_over(ranks):
    for rank in ranks:
        without = rank['mixed', 1]['without']
        assert not any(name.startswith(('branches.photos', 'branches.boxes')) for name in without)
        assert without == rank['joint', 1]['without']


def test_ranks_stop_together(ranks):
    assert "source 'photos' is not finite on another rank; here" in ranks[0]['not finite']
    assert all("FloatingPointError: The loss of source 'photos' is not finite" in r['not finite'] for r in ranks)


def test_ranks_with_different_sources_are_told_and_do_not_wait(ranks):
    for number, rank in enumerate(ranks):
        assert ('RuntimeError: The ranks have different sources in one step: rank 0: maps; rank 1: boxes (this is rank '
                f'{number}') in rank['different sources']


def test_one_process_needs_no_group():
    model = MultiSourceDistributed(build())
    with model.no_sync():
        model.train_step(batches('maps'), OptimWrapper(torch.optim.SGD(model.parameters(), lr=1.), accumulative_counts=2))
    assert model.module.branches['maps'].decode_head.conv_seg.weight.grad.abs().sum() > 0


def test_a_data_type_that_cannot_be_reduced(monkeypatch):
    monkeypatch.setattr('xlearner_mm.engine.multi_source_distributed.is_distributed', lambda: True)
    with pytest.raises(ValueError, match="reduce_dtype='bfloat17' is no floating-point data type"):
        MultiSourceDistributed(build(), reduce_dtype='bfloat17')
