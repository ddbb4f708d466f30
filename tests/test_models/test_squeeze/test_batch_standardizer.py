import pytest
import torch

from xlearner_mm.models import BatchStandardizer

pytestmark = pytest.mark.compat


def test_mean_and_scale_of_a_channel_do_not_matter():
    x = torch.randn(4, 3, 5, 5)
    scale, shift = torch.tensor([.1, 10., 300.]).view(1, 3, 1, 1), torch.tensor([5., -7., 0.]).view(1, 3, 1, 1)
    y = BatchStandardizer(3, eps=0)(x * scale + shift)
    torch.testing.assert_close(y.mean((0, 2, 3)), torch.zeros(3), atol=1e-5, rtol=0)
    torch.testing.assert_close(y.var((0, 2, 3), unbiased=False), torch.ones(3), atol=1e-4, rtol=0)
    torch.testing.assert_close(y, BatchStandardizer(3, eps=0)(x), atol=1e-4, rtol=1e-4)


def test_a_dead_channel_stays_zero():
    assert torch.equal(BatchStandardizer(1)(torch.full((2, 1, 3, 3), 4.)), torch.zeros(2, 1, 3, 3))
