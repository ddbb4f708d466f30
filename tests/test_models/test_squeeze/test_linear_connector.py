import pytest
import torch
from torch import nn

from xlearner_mm.models.squeeze import LinearConnector

pytestmark = pytest.mark.compat


def test_it_starts_as_a_single_convolution_of_the_same_seed():
    torch.manual_seed(3)
    expected, after = nn.Conv2d(7, 4, 1), torch.rand(())
    torch.manual_seed(3)
    connector = LinearConnector([3, 5, 7], 4)
    assert torch.rand(()) == after  # nothing else was drawn
    assert all(torch.equal(a, b) for a, b in zip(connector.parameters(), expected.parameters(), strict=True))
