import itertools

import pytest

from xlearner_mm.datasets.alternate_schedule import AlternateSchedule

pytestmark = pytest.mark.compat

SIZES = dict(a=10, b=1000, c=90)
BATCH = dict(a=8, b=2, c=4)


def turns(schedule, steps, seed=0, world_size=1):
    """Give the source of each step."""
    order, carry = [], {}
    for step in range(steps):
        images, carry = schedule.due(step, carry, seed, world_size)
        assert list(images) == list(BATCH)
        ((source, count), ) = [(s, n) for s, n in images.items() if n]
        assert count == BATCH[source]
        order.append(source)
    return order


@pytest.mark.parametrize('ratios', ['equal', 'proportional', dict(temperature=2.0), dict(a=1, b=1, c=3),
                                    [(0, 'equal'), (50, dict(a=0, b=1, c=2)), (100, dict(a=9, b=1, c=1))]])
def test_turns_are_exact_at_any_step_and_the_same_on_all_ranks(ratios):
    schedule = AlternateSchedule(BATCH, SIZES, ratios)
    order = turns(schedule, 150)
    assert order == turns(schedule, 150, world_size=4)
    ought = dict.fromkeys(SIZES, 0)
    for step in range(150):
        for source, share in schedule.shares_at(step).items():
            ought[source] += share
            assert abs(order[:step + 1].count(source) - ought[source]) < 2


def test_equal_ratios_give_each_source_a_turn_in_each_round():
    order = turns(AlternateSchedule(BATCH, SIZES, 'equal'), 90)
    rounds = [tuple(order[i:i + 3]) for i in range(0, 90, 3)]
    assert all(sorted(round_) == ['a', 'b', 'c'] for round_ in rounds)
    assert set(rounds) == set(itertools.permutations('abc'))  # and in no fixed order


def test_the_seed_changes_the_order_of_equals():
    schedule = AlternateSchedule(BATCH, SIZES, 'equal')
    orders = {tuple(turns(schedule, 12, seed)) for seed in range(8)}
    assert len(orders) == 8
    assert tuple(turns(schedule, 12, 3)) in orders


def test_mean_and_most():
    schedule = AlternateSchedule(BATCH, SIZES, [(0, dict(a=1, b=1, c=2)), (10, dict(a=0, b=1, c=0))])
    assert schedule.mean(9) == dict(a=2, b=0.5, c=2) and schedule.mean(10) == dict(a=0, b=2, c=0)
    assert schedule.most() == BATCH  # a turn is as large, however rare


@pytest.mark.parametrize('batch_size, ratios, error, message', [
    (8, 'equal', TypeError, r'train_dataloader\.batch_size must be a dict.*got int: 8'),
    (dict(a=1, b=1), 'equal', ValueError, r"no value for the sources \['c'\]"),
    (dict(BATCH, a=0), 'equal', ValueError, r'batch_size\.a=0 must be at least 1'),
    (BATCH, None, TypeError, 'ratios must be dict.*got None'),
    (BATCH, dict(a=1, b=0, c=0), ValueError, "never draws from source 'b', 'c'"),
])
def test_wrong_settings(batch_size, ratios, error, message):
    with pytest.raises(error, match=message):
        AlternateSchedule(batch_size, SIZES, ratios)
