import copy
import math

import pytest
import torch
from scipy.optimize import minimize

from xlearner_mm.models.weighting import CAGrad
from xlearner_mm.registry import MODELS

pytest.importorskip('torchjd.aggregation', reason='CAGrad needs torchjd, which is optional')
pytest.importorskip('cvxpy', reason='CAGrad needs cvxpy, which is optional')
pytestmark = pytest.mark.compat

SOURCES = ['photos', 'boxes', 'maps']


def build(**kwargs):
    return MODELS.build(dict(type='xlearner_mm.CAGrad', sources=SOURCES, **kwargs))


def conflicting(seed, count=3):
    rows = torch.randn(count, 4, generator=torch.Generator().manual_seed(seed))
    rows[1] -= rows[0]
    return rows * torch.tensor([[1.], [3.], [0.3]])[:count]


def dual(rows, c):
    """Liu et al., algorithm 1 with the dual of equation 2, for the sum of the losses instead of their mean."""
    rows = rows.double().numpy()
    mean = rows.mean(axis=0)
    radius = c * (mean @ mean)**0.5

    def value(w):
        mixed = w @ rows
        return mixed @ mean + radius * (mixed @ mixed + 1e-30)**0.5

    starts = [[1 / len(rows)] * len(rows), *([float(i == j) for j in range(len(rows))] for i in range(len(rows)))]
    found = [minimize(value, start, method='SLSQP', bounds=[(0, 1)] * len(rows), options=dict(ftol=1e-16, maxiter=500),
                      constraints=dict(type='eq', fun=lambda w: w.sum() - 1)) for start in starts]
    mixed = min(found, key=lambda result: result.fun).x @ rows
    return torch.from_numpy(len(rows) * (mean + radius / (mixed @ mixed)**0.5 * mixed)).float()


def worst_gain(direction, rows):
    """What the paper makes as large as it can."""
    return (rows @ direction).min().item() / rows.norm().item()**2


@pytest.mark.parametrize('seed', range(6))
@pytest.mark.parametrize('c, count', [(0.2, 3), (0.5, 2), (0.8, 3)])
def test_as_in_the_paper(seed, c, count):
    rows = conflicting(seed, count)
    total = rows.sum(dim=0)
    whole, expected = build(c=c).aggregate(rows, SOURCES[:count]), dual(rows, c)
    # The solver stops at 1e-8 of the dual's objective, which leaves about the square root of it in the weights.
    torch.testing.assert_close(whole / rows.norm(), expected / rows.norm(), rtol=0, atol=1e-4)
    assert worst_gain(whole, rows) == pytest.approx(worst_gain(expected, rows), abs=1e-5)
    assert (whole - total).norm().item() == pytest.approx(c * total.norm().item(), rel=1e-5)
    assert worst_gain(whole, rows) > worst_gain(total, rows) + 1e-3


@pytest.mark.parametrize('scale', [1e-6, 1e4])
def test_short_gradients_are_not_lost(scale):
    rows = conflicting(0)
    torch.testing.assert_close(build().aggregate(rows * scale, SOURCES) / scale, build().aggregate(rows, SOURCES),
                               rtol=1e-4, atol=1e-4)


def test_a_source_that_is_learned_stops_no_other():
    rows = torch.tensor([[1., 0., 0.], [0., 1., 0.], [0., 0., 1e-5]])
    whole = build().aggregate(rows, SOURCES)
    assert whole[:2].tolist() == pytest.approx([1, 1], abs=1e-3) and whole[2].item() == pytest.approx(2**0.5 / 2, 1e-2)
    rows[2] *= 1e-6
    assert build().aggregate(rows, SOURCES)[:2].tolist() == [1, 1]


def test_radius_0_is_the_sum():
    rows = conflicting(0)
    torch.testing.assert_close(build(c=0).aggregate(rows, SOURCES), rows.sum(dim=0))


def test_it_has_no_state():
    assert not build().state_dict() and copy.deepcopy(build(c=0.3))._weighting.c == 0.3


@pytest.mark.parametrize('c, error, message', [
    ('1', TypeError, r"weighting.c='1' must be a number, e\.g\. 0\.5"),
    (-0.1, ValueError, 'weighting.c=-0.1 must not be negative, and finite'),
    (math.inf, ValueError, 'weighting.c=inf must not be negative, and finite'),
])
def test_wrong_radius(c, error, message):
    with pytest.raises(error, match=message):
        CAGrad(SOURCES, c)
