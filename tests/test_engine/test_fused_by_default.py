import pytest
import torch

from xlearner_mm.engine.fused_by_default import fused_by_default

pytestmark = pytest.mark.compat

CPU, GPU, OTHER = (torch.device(name) for name in ('cpu', 'cuda:0', 'cuda:1'))


class Foreign(torch.optim.AdamW):
    """Not torch's: what its ``fused`` means is its own business."""


@pytest.mark.parametrize('devices', [{GPU}, {GPU, OTHER}])
@pytest.mark.parametrize('optimizer', [torch.optim.Adam, torch.optim.AdamW])
def test_on_gpus(optimizer, devices):
    assert fused_by_default(optimizer, dict(type='AdamW', lr=0.1, weight_decay=0.1), devices)


@pytest.mark.parametrize('optimizer, options, devices, floating', [
    (torch.optim.AdamW, {}, {CPU}, True), (torch.optim.AdamW, {}, {CPU, GPU}, True), (torch.optim.AdamW, {}, {}, True),
    (torch.optim.AdamW, {}, {GPU}, False), (torch.optim.Adadelta, {}, {GPU}, True), (Foreign, {}, {GPU}, True),
    (torch.optim.AdamW, dict(fused=False), {GPU}, True), (torch.optim.AdamW, dict(foreach=True), {GPU}, True),
    (torch.optim.AdamW, dict(capturable=True), {GPU}, True),
    (torch.optim.AdamW, dict(differentiable=True), {GPU}, True),
])
def test_as_torch_or_the_user_wants_it(optimizer, options, devices, floating):
    assert not fused_by_default(optimizer, options, devices, floating)
