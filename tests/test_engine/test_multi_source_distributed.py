import pytest
import torch

from rank_group import spawn
from ranks import EXTRAS, build, data_of, train_cases, train_in_turn, wrap
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


@pytest.mark.parametrize('name', ['gradient weighting', 'micro-batches', 'no_sync'])
def test_so_they_do_with(name, ranks):
    schedule, accumulation, steps, built, _ = EXTRAS[name]
    for key, value in train_in_turn(RANKS, schedule, steps, accumulation, **built).items():
        assert torch.equal(ranks[0][name]['trained'][key], ranks[1][name]['trained'][key]), key
        torch.testing.assert_close(ranks[0][name]['trained'][key], value, rtol=1e-5, atol=1e-6, msg=key)


def test_a_weighting_by_gradients_changes_what_is_learned(ranks):
    schedule, accumulation, steps, built, _ = EXTRAS['gradient weighting']
    plain = train_in_turn(RANKS, schedule, steps, accumulation, **dict(built, weighting=None))
    name = 'backbone.conv1.weight'
    assert (plain[name] - ranks[0]['gradient weighting']['trained'][name]).abs().max() > 1e-5
    found = ranks[0]['gradient weighting']
    assert set(found['overlapped']) == {0}  # each source's gradients are sent on their own
    assert all(sent > used for sent, used in zip(found['reduced'], found['in_use'], strict=True))


def test_buckets_are_sent_during_the_last_micro_batches(ranks):
    assert all(number > 3 for number in ranks[0]['micro-batches']['overlapped'][1:])
    assert ranks[0]['micro-batches']['reduced'] == ranks[0]['micro-batches']['in_use']


def test_short_messages_halve_the_bytes_where_the_backend_can_sum_them(ranks):
    found = [rank['half the bytes'] for rank in ranks]
    if isinstance(found[0], str):
        assert torch.__version__ < '2.2'
        assert "reduce_dtype='bfloat16': the distributed backend of this torch cannot sum it" in found[0]
        return
    exact = train_in_turn(RANKS, 'joint', 2, 1)
    start = build(seed=0).state_dict()
    for rank in found:
        assert [2 * sent for sent in rank['reduced']] == rank['in_use']
        for name, value in exact.items():
            assert torch.equal(rank['trained'][name], found[0]['trained'][name])
            moved = (value - start[name]).norm()
            assert (rank['trained'][name] - value).norm() <= 0.02 * moved + 1e-7, name
    assert any(not torch.equal(found[0]['trained'][name], value) for name, value in exact.items())


def test_running_statistics_are_those_of_the_first_rank_after_a_step(ranks):
    model = build(seed=0, frozen_bn=False)
    start = {name: value.clone() for name, value in model.named_buffers()}
    model.train_step(data_of('joint', 0, rank=0), wrap(model), random_key=(0, 0))
    for name, value in model.named_buffers():
        for rank in ranks:
            torch.testing.assert_close(rank['buffers'][name], value, rtol=1e-5, atol=1e-7, msg=name)
        assert torch.equal(ranks[0]['buffers'][name], ranks[1]['buffers'][name])
    assert any(not torch.equal(start[name], value) for name, value in ranks[1]['buffers'].items())


def test_ranks_skip_a_step_together(ranks):
    for rank in ranks:
        found = rank['skipped']
        assert (found['counts'], found['changed'], found['gradients']) == (dict(maps=1), [], 0)
        assert found['overlapped'] > 3  # the buckets were on their way
        assert all(torch.equal(value, ranks[0]['skipped']['after'][name]) for name, value in found['after'].items())
        assert all(value.isfinite().all() for value in found['after'].values())


def test_ranks_stop_together(ranks):
    assert "source 'photos' is not finite on another rank; here" in ranks[0]['not finite']
    assert all("FloatingPointError: The loss of source 'photos' is not finite" in r['not finite'] for r in ranks)


def test_ranks_with_different_sources_are_told_and_do_not_wait(ranks):
    for number, rank in enumerate(ranks):
        assert rank['different sources'].startswith('RuntimeError: The ranks have different sources in one step')
        assert f': rank 0: maps; rank 1: boxes (this is rank {number};' in rank['different sources']


def test_one_process_needs_no_group():
    model = MultiSourceDistributed(build())
    with model.no_sync():
        model.train_step(batches('maps'), wrap(model, accumulative_counts=2))
    assert model.module.branches['maps'].decode_head.conv_seg.weight.grad.abs().sum() > 0


def test_a_data_type_that_cannot_be_reduced(monkeypatch):
    monkeypatch.setattr('xlearner_mm.engine.multi_source_distributed.is_distributed', lambda: True)
    with pytest.raises(ValueError, match="reduce_dtype='bfloat17' is no floating-point data type"):
        MultiSourceDistributed(build(), reduce_dtype='bfloat17')
