"""Static weights, learned ones and dropping."""

import math

import pytest
import torch

from xlearner_mm.models.squeeze import StaticTeacherWeights, TeacherDropping, UncertaintyTeacherWeights

pytestmark = pytest.mark.compat

TEACHERS = ['cls', 'det', 'seg']


def losses(**kwargs):
    return {name: torch.tensor(value, requires_grad=True) for name, value in kwargs.items()}


def test_static_weights():
    weights = StaticTeacherWeights(TEACHERS, dict(det=0.5, seg=0))
    assert weights.active == ['cls', 'det'] and not weights.changing
    assert weights(losses(cls=2., det=4.)) == dict(cls=2., det=2.)
    assert StaticTeacherWeights(TEACHERS).active == TEACHERS


@pytest.mark.parametrize('given, message', [(dict(dets=1), 'names dets, which are no teachers: cls, det, seg'),
                                            (dict(det=-1), r"\{'det': -1\} must not be negative")])
def test_wrong_static_weights(given, message):
    with pytest.raises(ValueError, match=message):
        StaticTeacherWeights(TEACHERS, given)


def test_uncertainty_is_learned_from_the_size_of_the_loss():
    weights = UncertaintyTeacherWeights(TEACHERS)
    assert weights.active == TEACHERS and weights.changing
    weighted = weights(losses(cls=4., det=0.5))
    assert {name: value.item() for name, value in weighted.items()} == dict(cls=2., det=0.25)
    optimizer = torch.optim.SGD(weights.parameters(), lr=0.1)
    for _ in range(500):
        optimizer.zero_grad()
        sum(weights(losses(cls=4., det=0.5)).values()).backward()
        optimizer.step()
    # The minimum over s of exp(-s) L / 2 + s / 2 is at s = log L.
    assert weights.log_variances['cls'].item() == pytest.approx(math.log(4), abs=1e-3)
    assert weights.log_variances['det'].item() == pytest.approx(math.log(0.5), abs=1e-3)
    assert weights.log_variances['seg'].item() == 0


def test_the_hardest_teacher_stays_and_the_others_are_dropped_at_the_rate():
    torch.manual_seed(0)
    weights, kept = TeacherDropping(TEACHERS, 0.25), dict.fromkeys(TEACHERS, 0)
    for _ in range(4000):
        given = losses(cls=1., det=3., seg=2.)
        weighted = weights(given)
        sum(weighted.values()).backward()
        for name, loss in given.items():
            assert loss.grad.item() in (0, 1) and weighted[name] == loss * loss.grad
            kept[name] += int(loss.grad)
    assert kept['det'] == 4000
    assert kept['cls'] == pytest.approx(3000, abs=120) and kept['seg'] == pytest.approx(3000, abs=120)


@pytest.mark.parametrize('probability, alone, others', [(0, 1., 3.), (1, 1., 2.)])
def test_the_ends_of_dropping(probability, alone, others):
    weights = TeacherDropping(TEACHERS, probability)
    assert sum(weights(losses(cls=1.)).values()) == alone  # the only one is the hardest
    assert sum(weights(losses(cls=1., seg=2.)).values()) == others


def test_coins_are_torchs():
    given = losses(**{f't{i}': float(i) for i in range(20)})
    weights = TeacherDropping(list(given))
    torch.manual_seed(5)
    first = weights(given)
    torch.manual_seed(5)
    assert weights(given) == first and weights(given) != first


def test_wrong_probability():
    with pytest.raises(ValueError, match='probability=2 must be from 0 to 1'):
        TeacherDropping(TEACHERS, 2)
