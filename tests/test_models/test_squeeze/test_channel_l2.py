import pytest
import torch

from xlearner_mm.models.squeeze import ChannelL2

pytestmark = pytest.mark.compat


def test_values():
    x = torch.tensor([[3., 0.], [-4., 0.]]).view(1, 2, 1, 2)
    assert torch.allclose(ChannelL2(2)(x).flatten(), torch.tensor([.6, 0., -.8, 0.]))  # a position of zeros stays


def test_it_has_no_state():
    assert not ChannelL2(2).state_dict()
    ChannelL2(2).eval()(torch.ones(1, 2, 1, 1))  # nor needs any
