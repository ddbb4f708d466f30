import random

import numpy as np
import pytest
import torch

from xlearner_mm.models.weighting import PCGrad
from xlearner_mm.registry import MODELS
from xlearner_mm.utils import keyed_rng

pytest.importorskip('torchjd.aggregation', reason='PCGrad needs torchjd, which is optional')
pytestmark = pytest.mark.compat

SOURCES = ['photos', 'boxes', 'maps']


def build(**kwargs):
    return MODELS.build(dict(type='xlearner_mm.PCGrad', sources=SOURCES, **kwargs))


def conflicting(seed):
    rows = torch.randn(3, 4, generator=torch.Generator().manual_seed(seed))
    rows[1] -= rows[0]
    return rows * torch.tensor([[1.], [100.], [0.01]])


def algorithm_1(rows, seed, step):
    """Yu et al., with vectors."""
    with keyed_rng('PCGrad', seed, step):
        orders = [torch.randperm(len(rows)).tolist() for _ in rows]
    rows = rows.double()
    projected = rows.clone()
    for i, order in enumerate(orders):
        for j in order:
            if j != i and projected[i] @ rows[j] < 0:
                projected[i] -= projected[i] @ rows[j] / (rows[j] @ rows[j]) * rows[j]
    return projected.sum(dim=0).float()


@pytest.mark.parametrize('seed', [0, 1])
def test_as_in_the_paper(seed):
    weighting, differ = build(seed=seed), 0
    for step in range(20):
        rows = conflicting(step)
        whole = weighting.aggregate(rows, SOURCES)
        torch.testing.assert_close(whole, algorithm_1(rows, seed, step), rtol=1e-5, atol=1e-5)
        differ += not torch.allclose(whole, algorithm_1(rows, seed, step + 1), rtol=1e-4)
    assert differ > 3  # the order matters


def test_the_sum_without_conflict():
    rows = torch.tensor([[1., 0., 0.5], [0., 2., 0.5], [1., 1., 0.]])
    assert torch.equal(build().aggregate(rows, SOURCES), rows.sum(dim=0))


def test_the_global_generators_are_left_alone():
    torch.manual_seed(3)
    states = torch.get_rng_state(), random.getstate(), np.random.get_state()[1].tolist()
    build().aggregate(conflicting(0), SOURCES)
    assert torch.equal(torch.get_rng_state(), states[0]) and random.getstate() == states[1]
    assert np.random.get_state()[1].tolist() == states[2]


def test_resume_is_exact():
    straight, resumed = build(), build()
    for step in range(5):
        straight.aggregate(conflicting(step), SOURCES)
    assert {key: value.item() for key, value in straight.state_dict().items()} == dict(steps=5)
    resumed.load_state_dict(straight.state_dict())
    for step in range(5, 10):
        first, second = (weighting.aggregate(conflicting(step), SOURCES) for weighting in (straight, resumed))
        assert torch.equal(first, second)


def of_rank(rank):
    torch.manual_seed(rank)  # as the train loop does
    weighting = build()
    return [weighting.row_weights(rows @ rows.T) for rows in map(conflicting, range(10))]


def test_ranks_have_the_same_order(in_ranks):
    first, second = in_ranks(of_rank)
    assert all(map(torch.equal, first, second))


def test_wrong_seed():
    with pytest.raises(TypeError, match="weighting.seed='1' must be an integer"):
        PCGrad(SOURCES, seed='1')
