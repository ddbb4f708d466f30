import pytest
import torch
from mmengine.optim import OptimWrapper

from xlearner_mm.models.source_step import backward_source, check_finite


def test_only_the_last_backward_counts():
    weight = torch.nn.Parameter(torch.ones(()))
    optim = OptimWrapper(torch.optim.SGD([weight], lr=1.0), accumulative_counts=4)
    backward_source(optim, 2 * weight, counts=False)
    backward_source(optim, 6 * weight, counts=True)
    assert optim._inner_count == 1
    assert weight.grad == (2 + 6) / 4


def test_check_finite_names_source_and_parts():
    check_finite(dict(a=torch.tensor(1.)), {})
    logs = {'a.loss': torch.tensor(1.), 'b.loss_x': torch.tensor(float('inf')), 'b.acc': torch.tensor(.5)}
    with pytest.raises(FloatingPointError, match=r"source 'b' is not finite: \{'b.loss_x': inf, 'b.acc': 0.5\}"):
        check_finite(dict(a=torch.tensor(1.), b=torch.tensor(float('inf'))), logs)
