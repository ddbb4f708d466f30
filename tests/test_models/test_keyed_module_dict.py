import pytest
import torch
from mmengine.model import BaseModule
from torch import nn

from xlearner_mm.models.keyed_module_dict import KeyedModuleDict

pytestmark = pytest.mark.compat


class Child(BaseModule):

    def __init__(self):
        super().__init__(init_cfg=dict(type='Normal', layer='Linear'))
        self.fc = nn.Linear(4, 4)


def test_a_childs_start_depends_on_seed_and_name_only():

    def start(seed, *names):
        children = KeyedModuleDict({name: Child() for name in names})
        torch.manual_seed(seed)
        children.init_weights()
        return {name: child.fc.weight for name, child in children.items()}

    alone, among = start(1, 'b'), start(1, 'a', 'b', 'c')
    assert torch.equal(alone['b'], among['b'])
    assert not torch.equal(among['a'], among['b'])
    assert not torch.equal(alone['b'], start(2, 'b')['b'])


def test_children_without_init_weights_are_left_alone():
    children = KeyedModuleDict(dict(a=nn.Linear(2, 2)))
    before = children['a'].weight.clone()
    children.init_weights()
    assert torch.equal(children['a'].weight, before)
