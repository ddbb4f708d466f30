import copy

import pytest
import torch
from mmengine.registry import MODELS

from tiny import port, xlearner
from xlearner_mm.models import BackbonePort
from xlearner_mm.models.branch import ports_of

pytestmark = pytest.mark.compat


def test_a_port_has_no_parameters_and_does_not_register_its_owner():
    model = MODELS.build(xlearner())
    (own, ) = ports_of(model.branches['photos'])
    assert not list(own.state_dict()) and not list(own.children())
    assert own._owner is model
    assert len(list(model.modules())) == len(set(model.modules()))


def test_a_copied_model_has_ports_of_its_own():
    model = copy.deepcopy(MODELS.build(xlearner()))
    assert all(p._owner is model for b in model.branches.values() for p in ports_of(b))


@pytest.mark.parametrize('library, source', [('mmpretrain', 'photos'), ('mmdet', 'boxes'), ('mmseg', 'maps')])
def test_gives_what_the_stock_backbone_gives(library, source):
    model = MODELS.build(xlearner()).eval()
    images = torch.randn(2, 3, 64, 64)
    (own, ) = ports_of(model.branches[source])
    stock = model.backbone.sub_backbones[model.tasks[source]](images)
    expected = [stock[i] for i in own.out_indices]
    for a, b in zip(own(images), expected):
        assert torch.equal(a, b)


def test_an_unbound_port_says_so():
    with pytest.raises(RuntimeError, match='not bound'):
        BackbonePort()(torch.zeros(1, 3, 64, 64))


@pytest.mark.parametrize('kwargs, message', [
    (dict(output='map'), "output='map' must be one of maps, vector, tokens"),
    (dict(out_indices=()), 'at least one stage'),
    (dict(out_indices=(-1, )), 'counted from 0'),
])
def test_wrong_arguments(kwargs, message):
    with pytest.raises(ValueError, match=message):
        MODELS.build(port(**kwargs))
