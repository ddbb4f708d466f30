import random
from fractions import Fraction

import pytest

from xlearner_mm.datasets.apportion import apportion

pytestmark = pytest.mark.compat


def as_shares(weights):
    return {f's{i}': Fraction(weight, sum(weights)) for i, weight in enumerate(weights)}


def test_values():
    half = Fraction(1, 2)
    parts, carry = apportion(5, dict(a=Fraction(1, 4), b=Fraction(3, 4)), {}, 0)
    assert (parts, carry) == (dict(a=1, b=4), dict(a=Fraction(1, 4), b=Fraction(-1, 4)))
    parts, carry = apportion(5, dict(a=Fraction(1, 4), b=Fraction(3, 4)), carry, 0)
    assert (parts, carry) == (dict(a=2, b=3), dict(a=-half, b=half)) or (parts, carry) == (dict(a=1, b=4),
                                                                                         dict(a=half, b=-half))
    assert apportion(3, dict(a=Fraction(1)), {}, 0) == (dict(a=3), dict(a=0))
    assert apportion(0, dict(a=half, b=half), {}, 0) == (dict(a=0, b=0), dict(a=0, b=0))


@pytest.mark.parametrize('fixed', [True, False])
def test_any_shares_and_totals(fixed):
    rng = random.Random(int(fixed))
    weights, total = [], 0
    for _ in range(60):
        carry = {}
        for step in range(50):
            if step == 0 or not fixed:
                n = rng.choice([1, 2, 3, 5, 8, 20]) if step == 0 else len(weights)
                weights = [1, *rng.choices([0, 1, 1, 2, 3, 7, 100, 10**6], k=n - 1)]
                total = rng.choice([1, 1, 2, 3, 7, 16, 64])
            before, shares = carry, as_shares(weights)
            parts, carry = apportion(total, shares, before, 0, step)
            assert sum(parts.values()) == total and min(parts.values()) >= 0
            assert all(type(part) is int for part in parts.values())
            assert sum(carry.values()) == 0 and max(map(abs, carry.values())) < 2
            assert all(carry[s] == before.get(s, 0) + total * shares[s] - parts[s] for s in shares)


@pytest.mark.parametrize('weights, total', [((1, 1), 3), ((1, 2, 4), 4), ((3, 5), 1), ((1, 1, 1, 1, 1, 1, 1), 2),
                                            ((1, 10, 100), 7), ((5, 3, 1, 1), 1), ((9, ), 4)])
def test_exact_after_a_round(weights, total):
    carry = {}
    for round_ in range(3):
        drawn = [0] * len(weights)
        for step in range(sum(weights)):
            parts, carry = apportion(total, as_shares(weights), carry, 0, round_, step)
            drawn = [n + part for n, part in zip(drawn, parts.values(), strict=True)]
        assert drawn == [total * weight for weight in weights] and not any(carry.values())


def test_a_source_without_a_share_gets_nothing():
    shares, carry = dict(a=Fraction(0), b=Fraction(1, 3), c=Fraction(2, 3)), {}
    for step in range(30):
        parts, carry = apportion(2, shares, carry, step)
        assert parts['a'] == 0 and carry['a'] == 0


def test_what_was_too_much_is_given_back():
    # As after a run went on with fewer ranks: more is owed than a step has.
    carry = dict(a=Fraction(7), b=Fraction(-3), c=Fraction(-4))
    taken = []
    for step in range(12):
        parts, carry = apportion(2, dict.fromkeys('abc', Fraction(1, 3)), carry, step)
        assert sum(parts.values()) == 2 and min(parts.values()) >= 0
        taken.append(parts['a'])
    assert taken[:5] == [2] * 5 and not any(carry.values())


def test_the_key_decides_between_equals_and_not_the_order():
    firsts = set()
    for step in range(30):
        chosen = set()
        for sources in ('abcd', 'dcba', 'bdac'):
            parts, _ = apportion(1, dict.fromkeys(sources, Fraction(1, 4)), {}, 'seed', step)
            chosen.add(next(s for s, part in parts.items() if part))
        assert len(chosen) == 1
        firsts |= chosen
    assert firsts == set('abcd')
