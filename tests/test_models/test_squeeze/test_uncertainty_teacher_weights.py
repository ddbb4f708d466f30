import math

import pytest
import torch

from xlearner_mm.models.squeeze import UncertaintyTeacherWeights

pytestmark = pytest.mark.compat


def test_values_and_gradients():
    weights, loss = UncertaintyTeacherWeights(['seg', 'cls']), torch.tensor(3., requires_grad=True)
    assert weights.active == ['seg', 'cls']  # in the order given
    s = weights.log_variances['cls']
    s.data.fill_(0.5)
    weighted = weights(dict(cls=loss))['cls']
    weighted.backward()
    assert weighted.item() == pytest.approx(0.5 * math.exp(-0.5) * 3 + 0.25)
    assert loss.grad.item() == pytest.approx(0.5 * math.exp(-0.5))
    assert s.grad.item() == pytest.approx(-0.5 * math.exp(-0.5) * 3 + 0.5)
    assert weights.log_variances['seg'].grad is None
