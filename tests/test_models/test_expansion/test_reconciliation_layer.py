import pytest
import torch
from torch import nn

from xlearner_mm.models import ReconciliationLayer

pytestmark = pytest.mark.compat


@pytest.mark.parametrize('final_relu', [False, True])
@pytest.mark.parametrize('num_downsamples', [0, 2])
def test_starts_at_zero_and_every_parameter_learns_within_two_steps(final_relu, num_downsamples):
    torch.manual_seed(0)
    link = ReconciliationLayer(4, 6, num_downsamples, final_relu=final_relu)
    link.init_weights()
    x = torch.randn(2, 4, 16, 16)
    size = 16 // 2**num_downsamples
    assert torch.equal(link(x), torch.zeros(2, 6, size, size))
    learned = set()
    optimizer = torch.optim.SGD(link.parameters(), lr=0.1)
    for _ in range(2):
        optimizer.zero_grad()
        (link(x) * torch.randn(2, 6, size, size)).sum().backward()
        learned |= {name for name, p in link.named_parameters() if p.grad is not None and p.grad.abs().sum() > 0}
        optimizer.step()
    assert learned == {name for name, _ in link.named_parameters()}


def test_blocks_are_those_of_the_figure():
    link = ReconciliationLayer(4, 6, 2)
    kernels = [(m.kernel_size, m.stride) for m in link.modules() if isinstance(m, nn.Conv2d)]
    assert kernels == [((3, 3), (2, 2)), ((3, 3), (2, 2)), ((1, 1), (1, 1))]
    assert sum(isinstance(m, nn.ReLU) for m in link.modules()) == 2
    assert sum(isinstance(m, nn.ReLU) for m in ReconciliationLayer(4, 6, 2, final_relu=True).modules()) == 3


def test_without_zero_init_it_adds_something():
    assert ReconciliationLayer(4, 6, 1, zero_init=False)(torch.randn(2, 4, 8, 8)).abs().sum() > 0


def test_norm_cfg_reaches_every_block():
    link = ReconciliationLayer(4, 6, 1, norm_cfg=dict(type='GN', num_groups=2))
    assert sum(isinstance(m, nn.GroupNorm) for m in link.modules()) == 2
