import pytest
import torch
from mmengine.registry import MODELS
from torch import nn

from tiny import classifier, resnet, xlearner
from xlearner_mm.models import Squeezer
from xlearner_mm.models.squeeze import build_squeezer

pytestmark = pytest.mark.compat

SOURCES = {source: branch.model for source, branch in xlearner().branches.items()}


@pytest.fixture(scope='module')
def expanded():
    return MODELS.build(xlearner(squeeze=False)).backbone


def test_builds_with_and_without_a_type(expanded):
    for squeeze in (dict(student=resnet()), dict(type='xlearner_mm.Squeezer', student=resnet(), teachers='own')):
        before = dict(squeeze)
        squeezer = build_squeezer(squeeze, expanded, SOURCES)
        assert type(squeezer) is Squeezer and squeezer.teachers.expanded is expanded
        assert squeezer.teachers.which == squeeze.get('teachers', 'all') and squeeze == before


def test_weights_depend_on_the_seed_alone(expanded):
    def weights(seed, draws):
        torch.manual_seed(seed)
        torch.rand(draws)
        state = torch.get_rng_state()
        squeezer = build_squeezer(dict(student=resnet(), branches=dict(photos=classifier())), expanded, SOURCES)
        assert torch.equal(torch.get_rng_state(), state)
        return torch.cat([p.flatten() for p in squeezer.parameters()])

    first = weights(3, 0)
    assert torch.equal(weights(3, 100), first)
    assert not torch.equal(weights(4, 0), first)


@pytest.mark.parametrize('backbone', [nn.Identity(), None])
def test_another_backbone_is_refused(backbone):
    with pytest.raises(ValueError, match='model.squeeze needs an ExpandedBackbone as its teacher, got '
                       f'{type(backbone).__name__}. Take squeeze out, or use an ExpandedBackbone'):
        build_squeezer(dict(student=resnet()), backbone, SOURCES)


def test_unknown_branches_are_refused(expanded):
    branches = dict(photo=classifier(), cats=classifier(), maps=classifier())
    message = r"branches names \['cats', 'photo'\], which are no sources of the model: photos, boxes, maps"
    with pytest.raises(ValueError, match=message):
        build_squeezer(dict(student=resnet(), branches=branches), expanded, SOURCES)


def test_fresh_heads_are_new_branches_of_the_same_config(expanded):
    model = MODELS.build(xlearner(squeeze=dict(student=resnet(), heads='fresh', branches=dict(
        photos=classifier(num_classes=7)))))
    squeeze = model.squeeze
    assert list(squeeze.branches) == list(SOURCES)
    assert squeeze.branches['photos'].head.num_classes == 7
    own, fresh = model.branches['maps'].state_dict(), squeeze.branches['maps'].state_dict()
    assert own.keys() == fresh.keys()
    assert not torch.equal(own['decode_head.conv_seg.weight'], fresh['decode_head.conv_seg.weight'])
    with pytest.raises(ValueError, match="heads='new' must be 'carried' or 'fresh'"):
        build_squeezer(dict(student=resnet(), heads='new'), expanded, SOURCES)
