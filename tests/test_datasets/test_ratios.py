from fractions import Fraction

import numpy as np
import pytest
from mmengine.config import Config

from xlearner_mm.datasets.ratios import parse_ratios

pytestmark = pytest.mark.compat

SIZES = dict(a=10, b=1000, c=90)


def shares(ratios, sizes=SIZES):
    ((step, parsed), ) = parse_ratios(ratios, sizes)
    assert step == 0 and list(parsed) == list(sizes) and sum(parsed.values()) == 1
    return parsed


def test_each_form():
    assert shares(dict(c=1, a=2, b=1)) == dict(a=Fraction(1, 2), b=Fraction(1, 4), c=Fraction(1, 4))
    assert shares('equal') == dict.fromkeys(SIZES, Fraction(1, 3))
    assert shares('proportional') == {s: Fraction(n, 1100) for s, n in SIZES.items()}
    assert shares('equal', dict(a=7)) == dict(a=1)


def test_numbers_are_taken_as_they_are_written():
    assert shares(dict(a=0.1, b=0.2, c=0.7))['a'] == Fraction(1, 10)
    assert shares(dict(a=1e-5, b=0.5, c=0.5))['a'] == Fraction(1, 100001)
    assert shares(dict(a=np.float64(0.1), b=0.2, c=0.7)) == shares(dict(a=0.1, b=0.2, c=0.7))


def test_temperature():
    one, proportional = shares(dict(temperature=1)), shares('proportional')
    assert all(abs(one[s] - proportional[s]) < 1e-9 for s in SIZES)
    assert all(abs(share - Fraction(1, 3)) < 1e-4 for share in shares(dict(temperature=1e5)).values())
    two = shares(dict(temperature=2))
    assert float(two['b'] / two['a']) == pytest.approx(10) and float(two['c'] / two['a']) == pytest.approx(3)
    assert shares(dict(temperature=1e-3))['a'] > 0  # no source vanishes, however cold


def test_temperature_may_be_the_name_of_a_source():
    assert shares(dict(temperature=3), dict(temperature=5)) == dict(temperature=1)
    assert shares(dict(temperature=3, b=1), dict(temperature=5, b=2))['temperature'] == Fraction(3, 4)


def test_changes_at_steps():
    parts = [(0, 'equal'), (100, dict(a=1, b=1, c=2)), (250, dict(temperature=2.0))]
    parsed = parse_ratios(parts, SIZES)
    assert [step for step, _ in parsed] == [0, 100, 250]
    assert [part for _, part in parsed] == [shares(part) for _, part in parts]
    config = Config(dict(ratios=[[0, 'equal'], [100, dict(a=1, b=1, c=2)], [250, dict(temperature=2.0)]]))
    assert parse_ratios(config.ratios, SIZES) == parsed


@pytest.mark.parametrize('ratios, error, message', [
    (None, TypeError, r"batch_sampler\.ratios must be dict\(coco=1, ade20k=2\), 'equal'.*list of \(step.*got None"),
    ('equall', TypeError, "'proportional'.*got 'equall'"),
    (3, TypeError, 'got 3'),
    ([(0, 7)], TypeError, 'got 7'),
    ([], ValueError, r'begin at the steps \[\]; these must be integers that grow from 0'),
    (['equal', 'equal'], TypeError, r"as a list must hold pairs \(step, ratios\), got 'equal'"),
    ([(0, 'equal', 1)], TypeError, r"pairs \(step, ratios\), got \(0, 'equal', 1\)"),
    ([(1, 'equal')], ValueError, r'steps \[1\]'),
    ([(0, 'equal'), (0, 'equal')], ValueError, r'steps \[0, 0\]'),
    ([(0, 'equal'), (9, 'equal'), (8, 'equal')], ValueError, r'steps \[0, 9, 8\]'),
    ([(0, 'equal'), (1.0, 'equal')], ValueError, r'steps \[0, 1\.0\]'),
    ([(False, 'equal')], ValueError, r'steps \[False\]'),
    (dict(a=1, b=2), ValueError, r"no value for the sources \['c'\] and one for the unknown \[\].*\['a', 'b', 'c'\]"),
    (dict(a=1, b=2, c=3, d=4), ValueError, r"unknown \['d'\]"),
    (dict(a=1, temperature=2), ValueError, r"sources \['b', 'c'\] and one for the unknown \['temperature'\]"),
    (dict(a=1, b=2, c='3'), TypeError, r"ratios\.c='3' must be a number"),
    (dict(a=1, b=2, c=True), TypeError, r'ratios\.c=True must be a number'),
    (dict(a=1, b=2, c=-1), ValueError, r'ratios\.c=-1 must be finite and not negative'),
    (dict(a=1, b=2, c=float('nan')), ValueError, r'ratios\.c=nan must be finite'),
    (dict(a=1, b=2, c=float('inf')), ValueError, r'ratios\.c=inf must be finite'),
    (dict(temperature=0), ValueError, r'ratios\.temperature=0 must be positive: 1 is proportional'),
    (dict(temperature=-1), ValueError, r'ratios\.temperature=-1 must be finite and not negative'),
    (dict(temperature='hot'), TypeError, r"ratios\.temperature='hot' must be a number"),
    (dict(a=0, b=0, c=0), ValueError, 'are all 0. Give at least one source a positive one'),
    ([(0, 'equal'), (5, dict(a=0, b=0, c=0))], ValueError, 'are all 0'),
    (dict(a=0, b=1, c=0), ValueError, "never draws from source 'a', 'c': its quota would always be 0. Give it a posi"),
    ([(0, dict(a=1, b=0, c=1)), (5, dict(a=1, b=0, c=0))], ValueError, "never draws from source 'b'"),
])
def test_wrong_ratios(ratios, error, message):
    with pytest.raises(error, match=message):
        parse_ratios(ratios, SIZES)
