import pytest
import torch
from torch import nn

from xlearner_mm.models.part_difference import first_difference, held_inside

pytestmark = pytest.mark.compat


@pytest.mark.parametrize(('first', 'second', 'told'), [
    (nn.Linear(2, 3), nn.Linear(2, 3), ''),
    (nn.Linear(2, 3), nn.Conv1d(2, 3, 1), 'neck is a Linear in the one and a Conv1d in the other'),
    (nn.Linear(2, 3), nn.Linear(2, 3, bias=False), 'neck.bias is a Parameter in the one and a NoneType in the other'),
    (nn.Conv2d(2, 2, 3, stride=1), nn.Conv2d(2, 2, 3, stride=2), 'neck.stride.0 is 1 in the one and 2 in the other'),
    (nn.Sequential(nn.ReLU()), nn.Sequential(nn.ReLU(), nn.ReLU()), 'neck.1 is in the other only'),
])
def test_the_first_difference_is_named(first, second, told):
    assert first_difference(first, second, 'neck') == told


def test_values_of_buffers_count_and_those_of_parameters_do_not():
    one, other = nn.BatchNorm2d(2), nn.BatchNorm2d(2)
    other.weight.data.fill_(7)
    assert first_difference(one, other, 'bn') == ''
    other.running_mean += 1
    assert first_difference(one, other, 'bn') == 'bn.running_mean has other values in the one than in the other'


def test_a_module_is_found_wherever_a_model_holds_it():
    part, model = nn.Linear(1, 1), nn.Module()
    assert held_inside(model, {id(part)}, 'model') == ''
    model.helpers = [dict(layer=part)]  # a plain attribute, which modules() does not see
    assert held_inside(model, {id(part)}, 'model') == 'model.helpers.0.layer'
    assert held_inside(model, {id(torch.zeros(1))}, 'model') == ''
