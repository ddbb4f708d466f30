import pytest
import torch
from mmengine.optim import OptimWrapper

from xlearner_mm.models import source_step
from xlearner_mm.models.source_step import backward_source, check_finite, weigh_losses

pytestmark = pytest.mark.compat


def test_only_losses_are_weighed():
    losses = dict(loss_a=torch.tensor(2.), loss_b=[torch.tensor(1.), torch.tensor(4.)], acc=torch.tensor(0.5))
    assert weigh_losses(losses, 3) == dict(loss_a=6, loss_b=[3, 12], acc=0.5)
    assert weigh_losses(losses, 1) == losses


def test_only_the_last_backward_counts():
    weight = torch.nn.Parameter(torch.ones(()))
    optim = OptimWrapper(torch.optim.SGD([weight], lr=1.0), accumulative_counts=4)
    backward_source(optim, 2 * weight, counts=False)
    assert optim._inner_count == 0
    backward_source(optim, 6 * weight, counts=True)
    assert optim._inner_count == 1
    assert weight.grad == (2 + 6) / 4


def test_check_finite_names_source_and_parts():
    check_finite(dict(a=torch.tensor(1.)), {})
    logs = {'a.loss': torch.tensor(1.), 'b.loss_x': torch.tensor(float('inf')), 'b.acc': torch.tensor(.5)}
    with pytest.raises(FloatingPointError, match=r"source 'b' is not finite: \{'b.loss_x': inf, 'b.acc': 0.5\}"):
        check_finite(dict(a=torch.tensor(1.), b=torch.tensor(float('inf'))), logs)


def test_check_finite_stops_with_another_rank(monkeypatch):
    monkeypatch.setattr(source_step, 'all_reduce', lambda broken, op: broken.fill_(1))
    with pytest.raises(FloatingPointError, match=r"source 'a' is not finite on another rank; here: \{'a.loss': 1.0\}"):
        check_finite(dict(a=torch.tensor(1.)), {'a.loss': torch.tensor(1.)})
