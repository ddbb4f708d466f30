import pytest
import torch

from xlearner_mm.models.weighting import GradientWeighting, gradient_weighting

pytestmark = pytest.mark.compat

SOURCES = ['photos', 'boxes', 'maps']


class Lengths(GradientWeighting):
    """Weights that show what they were made of."""

    def row_weights(self, gramian):
        self.gramian = gramian
        return gramian.diagonal()


@pytest.mark.parametrize('chunk', [3, 10, 2**20])
def test_weighted_sum_by_inner_products(monkeypatch, chunk):
    monkeypatch.setattr(gradient_weighting, 'CHUNK', chunk)
    rows = torch.randn(3, 10, generator=torch.Generator().manual_seed(0))
    given, weighting = rows.clone(), Lengths(SOURCES)
    assert weighting.needs_gradients
    whole = weighting.aggregate(rows, SOURCES)
    gramian = rows.double() @ rows.double().T
    torch.testing.assert_close(weighting.gramian, gramian / gramian.trace(), rtol=1e-14, atol=0)
    torch.testing.assert_close(whole, (gramian.diagonal() / gramian.trace()).float() @ rows)
    assert torch.equal(rows, given) and whole.dtype is torch.float32 and whole.shape == (10, )


def test_inner_products_of_many_columns_are_exact():
    rows = torch.tensor([[1., 2**-13], [1., -2**-13]]).repeat_interleave(300_000, dim=1)
    weighting = Lengths(['photos', 'boxes'])
    weighting.aggregate(rows, ['photos', 'boxes'])
    cosine = 2 * weighting.gramian[0, 1].item()  # of unit lengths: the trace is 1
    assert cosine == pytest.approx((1 - 2**-26) / (1 + 2**-26), abs=1e-11)


def test_zero_rows_have_no_say():
    rows = torch.tensor([[1., 2.], [0., 0.], [2., 0.]])
    weighting = Lengths(SOURCES)
    torch.testing.assert_close(weighting.aggregate(rows, SOURCES), 5 / 9 * rows[0] + 4 / 9 * rows[2])
    assert weighting.gramian.shape == (2, 2)


@pytest.mark.parametrize('rows', [[[1., 2.], [0., 0.]], [[0., 0.], [0., 0.]], [[3., 4.]]])
def test_the_sum_where_no_two_rows_can_conflict(rows):
    rows = torch.tensor(rows)
    weighting = Lengths(SOURCES)
    assert torch.equal(weighting.aggregate(rows, SOURCES[:len(rows)]), rows.sum(dim=0))
    assert not hasattr(weighting, 'gramian')


def of_rank(rank):
    rows = torch.tensor([[1. + rank, 0.], [0., 1.]])  # as if the ranks' solvers differed
    return rows, Lengths(['photos', 'boxes']).aggregate(rows, ['photos', 'boxes'])


def test_ranks_take_the_weights_of_the_first(in_ranks):
    for rows, whole in in_ranks(of_rank):
        assert torch.equal(whole, rows.sum(dim=0) / 2)


def test_no_method():
    with pytest.raises(NotImplementedError, match='GradientWeighting needs a method row_weights or aggregate'):
        GradientWeighting(SOURCES).aggregate(torch.eye(2), ['photos', 'boxes'])
