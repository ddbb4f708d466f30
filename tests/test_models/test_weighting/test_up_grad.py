import copy

import pytest
import torch
from scipy.optimize import nnls

from xlearner_mm.registry import MODELS

pytest.importorskip('torchjd.aggregation', reason='UPGrad needs torchjd, which is optional')
for solver in ('qpsolvers', 'quadprog'):
    pytest.importorskip(solver, reason=f'UPGrad needs {solver}, which is optional')
pytestmark = pytest.mark.compat

SOURCES = ['photos', 'boxes', 'maps']


def build():
    return MODELS.build(dict(type='xlearner_mm.UPGrad', sources=SOURCES))


def conflicting(seed, lengths=(1., 3., 0.3)):
    rows = torch.randn(3, 4, generator=torch.Generator().manual_seed(seed))
    rows[1] -= rows[0]
    rows[2] -= rows[1]
    return rows / rows.norm(dim=1, keepdim=True) * torch.tensor(lengths)[:, None]


def projections(rows):
    """Sum of the projections of the rows onto the cone of what has no negative inner product with any.

    By Moreau, a projection onto the cone is the vector less its projection onto the cone that minus the rows span.
    """
    units = (rows / rows.norm(dim=1, keepdim=True)).double().numpy()
    total = 0
    for row in rows.double().numpy():
        coefficients, _ = nnls(-units.T, row)
        total = total + row + units.T @ coefficients
    return torch.from_numpy(total).float()


@pytest.mark.parametrize('seed', range(12))
def test_as_in_the_paper(seed):
    rows = conflicting(seed)
    assert (rows @ rows.T).min() < 0
    whole = build().aggregate(rows, SOURCES)
    torch.testing.assert_close(whole, projections(rows), rtol=1e-5, atol=1e-5)
    assert (rows @ whole).min() > -1e-5  # no source loses


@pytest.mark.parametrize('lengths', [(1., 1., 1e-4), (1e-6, 1e-6, 1e-6), (1e3, 1., 1e-3)])
def test_short_gradients_are_not_lost(lengths):
    for seed in range(6):
        rows = conflicting(seed, lengths)
        whole = build().aggregate(rows, SOURCES)
        torch.testing.assert_close(whole / max(lengths), projections(rows) / max(lengths), rtol=0, atol=1e-5)
        # the one with the shortest gradient does not lose, either
        assert (rows @ whole / rows.norm(dim=1)).min() > -1e-6 * max(lengths)


def test_the_sum_without_conflict():
    rows = torch.tensor([[1., 0., 0.5], [0., 2., 0.5], [1., 1., 0.]])
    torch.testing.assert_close(build().aggregate(rows, SOURCES), rows.sum(dim=0))


@pytest.mark.parametrize('rows, expected', [
    ([[1., 2.], [1., 2.], [1., 2.]], [3., 6.]),  # one direction: the inner products have rank 1
    ([[1., 0.], [-1., 0.], [0., 1.]], [0., 1.]),
    ([[1., 0.], [-3., 0.], [0., 0.]], [0., 0.]),
])
def test_degenerate_gradients(rows, expected):
    whole = build().aggregate(torch.tensor(rows), SOURCES)
    torch.testing.assert_close(whole, torch.tensor(expected), rtol=0, atol=1e-5)


def test_it_has_no_state():
    weighting = build()
    weighting.aggregate(conflicting(0), SOURCES)
    assert not weighting.state_dict()
    assert torch.equal(copy.deepcopy(weighting).aggregate(conflicting(1), SOURCES),
                       build().aggregate(conflicting(1), SOURCES))
