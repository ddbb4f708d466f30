import pytest
from mmengine.config import ConfigDict
from mmengine.registry import MODELS
from torch import nn

from tiny import classifier, detector, segmentor, xlearner
from xlearner_mm.models.branch import build_branch, class_head_of, parse_branch, ports_of

pytestmark = pytest.mark.compat


def test_parse_branch():
    branch = parse_branch('a', dict(task='cls', model=classifier()), ['cls'])
    assert (branch.task, branch.loss_weight) == ('cls', 1.0)
    assert parse_branch('a', dict(task='anything', model=None, loss_weight=2)).loss_weight == 2
    with pytest.raises(TypeError, match=r"branches\.a must be dict\(task=\.\.\., model=\.\.\.\), got 'cls'"):
        parse_branch('a', 'cls')
    with pytest.raises(ValueError, match="loss_weight=nan of source 'a'"):
        parse_branch('a', dict(task='cls', model=None, loss_weight=float('nan')))


def test_build_branch_takes_the_scope_from_the_prefix():
    model = build_branch('a', ConfigDict(detector()))
    assert type(model.data_preprocessor).__module__.startswith('mmdet')
    assert len(ports_of(model)) == 1
    assert build_branch('a', model) is model


def test_build_branch_refuses_other_modules():
    with pytest.raises(TypeError, match="source 'a' must be a model of an OpenMMLab library.*Linear"):
        build_branch('a', nn.Linear(2, 2))


def test_class_head_of():
    heads = [class_head_of(MODELS.build(ConfigDict(xlearner())).branches[s]) for s in ('photos', 'boxes', 'maps')]
    assert [(type(h).__name__, h.num_classes) for h in heads] == [('LinearClsHead', 3), ('FCOSHead', 2), ('FCNHead', 4)]
    assert class_head_of(nn.Linear(2, 2)) is None
    assert class_head_of(build_branch('maps', ConfigDict(segmentor(7)))).num_classes == 7
