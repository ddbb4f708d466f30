import pytest
import torch
from torch import nn

from xlearner_mm.models.expansion.staged_named_layers import StagedNamedLayers

pytestmark = pytest.mark.compat


def test_stages_run_by_their_names():
    net = nn.Module()
    net.blocks, net.layers = ['second', 'first'], []
    net.first, net.second = nn.Conv2d(4, 8, 2, stride=2), nn.Conv2d(3, 4, 1)

    class Staged(StagedNamedLayers):
        names = 'blocks'

    staged, x = Staged(net), torch.randn(1, 3, 64, 64)
    assert staged.num_stages == 2 and staged.image_channels == 4  # of the first module, not of the first to run
    assert staged.stem(x) is x
    one, two = staged.features(x)
    assert torch.equal(one, net.second(x)) and torch.equal(two, net.first(one))
