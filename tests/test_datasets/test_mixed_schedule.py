import itertools
from fractions import Fraction

import pytest

from xlearner_mm.datasets.mixed_schedule import MixedSchedule

pytestmark = pytest.mark.compat

SIZES = dict(a=10, b=1000, c=90, d=20000)


def run(schedule, steps, seed=0, world_size=1, carry=None, first=0):
    """Give the images of each step of a rank, and what is carried over in the end."""
    drawn, carry = [], carry or {}
    for step in range(first, first + steps):
        images, carry = schedule.due(step, carry, seed, world_size)
        assert sum(images.values()) == schedule.total and list(images) == list(schedule.shares_at(step))
        drawn.append(images)
    return drawn, carry


def check_exact(schedule, drawn, world_size=1, limit=2):
    """At any step, each source has had its share, but for fewer than some images a rank."""
    had, ought = dict.fromkeys(SIZES, 0), dict.fromkeys(SIZES, Fraction(0))
    for step, images in enumerate(drawn):
        for source, share in schedule.shares_at(step).items():
            had[source] += images[source] * world_size
            ought[source] += schedule.total * share * world_size
        assert all(abs(had[source] - ought[source]) < limit * world_size for source in SIZES), step
    return had


@pytest.mark.parametrize('total', [1, 7, 64])
@pytest.mark.parametrize('ratios', ['equal', 'proportional', dict(temperature=3.0), dict(a=0.1, b=0.2, c=0.3, d=5),
                                    dict(a=1, b=3, c=5, d=7)])
def test_ratios_are_exact_at_any_step(ratios, total):
    schedule = MixedSchedule(total, SIZES, ratios)
    drawn, _ = run(schedule, 150)
    check_exact(schedule, drawn)
    assert all(abs(mean - total * schedule.shares_at(0)[s]) == 0 for s, mean in schedule.mean(3).items())


def test_whole_parts_are_the_same_at_every_step():
    drawn, carry = run(MixedSchedule(16, SIZES, dict(a=1, b=3, c=5, d=7)), 20)
    assert all(images == dict(a=1, b=3, c=5, d=7) for images in drawn) and not any(carry.values())


def test_a_quota_below_one_a_step_comes_in_time():
    schedule = MixedSchedule(4, SIZES, dict(a=1, b=33, c=33, d=33))  # one image of a in 25 steps
    drawn, _ = run(schedule, 500)
    taken = [step for step, images in enumerate(drawn) if images['a']]
    assert len(taken) == 20 and all(drawn[step]['a'] == 1 for step in taken)
    gaps = [after - before for before, after in itertools.pairwise([0, *taken])]
    assert max(gaps) <= 50


def test_ratios_change_at_their_step():
    parts = [(0, 'equal'), (40, dict(a=0, b=1, c=1, d=2)), (90, dict(a=5, b=0, c=3, d=0))]
    schedule = MixedSchedule(6, SIZES, parts)
    drawn, _ = run(schedule, 140)
    check_exact(schedule, drawn)
    # But for what was carried over, a source without a share is not drawn from.
    assert sum(images['a'] for images in drawn[40:90]) <= 1
    assert sum(images['b'] + images['d'] for images in drawn[90:]) <= 2
    assert [schedule.shares_at(step)['a'] for step in (0, 39, 40, 89, 90)] == [
        Fraction(1, 4), Fraction(1, 4), 0, 0, Fraction(5, 8)]
    assert schedule.mean(40) == dict(a=0, b=1.5, c=1.5, d=3) and schedule.mean(39)['a'] == 1.5
    assert schedule.most() == dict(a=4, b=2, c=3, d=3)


def test_a_source_may_come_in_later():
    schedule = MixedSchedule(5, SIZES, [(0, dict(a=0, b=1, c=1, d=1)), (30, 'equal')])
    drawn, _ = run(schedule, 60)
    assert sum(images['a'] for images in drawn[:30]) == 0
    assert abs(sum(images['a'] for images in drawn[30:]) - 30 * 5 / 4) < 2


@pytest.mark.parametrize('worlds', [(2, 2), (1, 4), (4, 1), (3, 2)])
def test_the_carry_goes_on_with_another_number_of_ranks(worlds):
    schedule = MixedSchedule(7, SIZES, dict(a=1, b=2, c=5, d=9))
    had, ought, carry = dict.fromkeys(SIZES, 0), dict.fromkeys(SIZES, Fraction(0)), {}
    for start, world_size in zip((0, 33), worlds, strict=True):
        drawn, carry = run(schedule, 33, world_size=world_size, carry=carry, first=start)
        assert sum(carry.values()) == 0
        for source, share in schedule.shares_at(0).items():
            had[source] += sum(images[source] for images in drawn) * world_size
            ought[source] += 33 * 7 * share * world_size
            assert carry[source] == ought[source] - had[source]
            assert abs(carry[source]) < 2 * world_size


def test_the_seed_decides_between_equals_only():
    schedule = MixedSchedule(6, SIZES, 'equal')
    one, other = run(schedule, 20, seed=0)[0], run(schedule, 20, seed=1)[0]
    assert one != other and one == run(schedule, 20, seed=0)[0]
    check_exact(schedule, other)


@pytest.mark.parametrize('batch_size, ratios, error, message', [
    (dict(a=1), 'equal', TypeError, r"batch_size=\{'a': 1\} must be an integer for schedule='mixed': the images"),
    (True, 'equal', TypeError, 'batch_size=True must be an integer'),
    (2.0, 'equal', TypeError, r'batch_size=2\.0 must be an integer'),
    (0, 'equal', ValueError, 'batch_size=0 must be at least 1'),
    (8, None, TypeError, "ratios must be dict.*got None"),
    (8, dict(a=1, b=1, c=0, d=1), ValueError, "never draws from source 'c'"),
])
def test_wrong_settings(batch_size, ratios, error, message):
    with pytest.raises(error, match=message):
        MixedSchedule(batch_size, SIZES, ratios)
