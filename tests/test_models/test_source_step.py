import pytest
import torch

from xlearner_mm.models.source_step import weigh_losses

pytestmark = pytest.mark.compat


def test_only_losses_are_weighed():
    losses = dict(loss_a=torch.tensor(2.), loss_b=[torch.tensor(1.), torch.tensor(4.)], acc=torch.tensor(0.5))
    assert weigh_losses(losses, 3) == dict(loss_a=6, loss_b=[3, 12], acc=0.5)
    assert weigh_losses(losses, 1) == losses
