import pytest
import torch

from xlearner_mm.models.weighting import weigh_losses

pytestmark = pytest.mark.compat


def test_only_losses_are_weighted():
    losses = dict(loss_a=2, loss_b=[1, 4], acc=0.5)
    assert weigh_losses(losses, 3) == dict(loss_a=6, loss_b=[3, 12], acc=0.5)
    assert weigh_losses(losses, 1) == losses
    assert weigh_losses(losses, torch.tensor(3)) == dict(loss_a=6, loss_b=[3, 12], acc=0.5)


def test_a_learned_weight_of_one_keeps_its_gradient():
    weight = torch.ones((), requires_grad=True)
    weigh_losses(dict(loss=torch.tensor(5.)), weight)['loss'].backward()
    assert weight.grad == 5
