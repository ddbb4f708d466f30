import pytest
import torch
from mmengine.config import ConfigDict

from xlearner_mm.utils import as_dict_by_source, check_source_name, kind_of, library_of, with_scope

pytestmark = pytest.mark.compat


@pytest.mark.parametrize('name', ['coco', 'in1k', 'ADE20k', 'voc_2012', 'x', 'clothes'])
def test_good_names(name):
    assert check_source_name(name) == name


@pytest.mark.parametrize('name, message', [
    ('', 'must start with a letter'), ('1k', 'must start with a letter'), ('_a', 'must start with a letter'),
    ('a.b', 'must start with a letter'), ('a/b', 'must start with a letter'), ('a b', 'must start with a letter'),
    ('a\n', 'must start with a letter'), ('é', 'must start with a letter'), (7, 'Source name 7 must start'),
    ('glossy', 'contains "loss"'), ('Loss', 'contains "loss"'),
    ('keys', 'is an attribute of ModuleDict'),
    ('training', 'is an attribute of ModuleDict'),
    ('init_cfg', 'is an attribute of ModuleDict'),
])
def test_bad_names(name, message):
    with pytest.raises(ValueError, match=message) as caught:
        check_source_name(name)
    assert repr(name) in str(caught.value) and 'Rename the source' in str(caught.value)
    with pytest.raises(ValueError, match=message.replace('Source', 'Task')) as caught:
        check_source_name(name, 'Task')
    assert str(caught.value).startswith(f'Task name {name!r}') and 'Rename the task' in str(caught.value)


def test_as_dict_by_source():
    cfg = ConfigDict(b=1, a=dict(x=2))
    result = as_dict_by_source(cfg, 'model.branches')
    assert type(result) is dict and list(result) == ['b', 'a'] and result['a'] == dict(x=2)
    with pytest.raises(TypeError, match=r'model\.branches must be a dict with a key for each source, got list: \[1\]'):
        as_dict_by_source([1], 'model.branches')
    with pytest.raises(ValueError, match='model.branches names no source'):
        as_dict_by_source({}, 'model.branches')
    with pytest.raises(ValueError, match='contains "loss"'):
        as_dict_by_source(dict(a=1, my_loss=2), 'model.branches')
    with pytest.raises(ValueError, match="Task name 'a.b'"):
        as_dict_by_source({'a.b': 1}, 'backbone.sub_backbones', 'Task')
    with pytest.raises(ValueError, match='sub_backbones names no task'):
        as_dict_by_source({}, 'backbone.sub_backbones', 'Task')


def test_with_scope_takes_the_prefix():
    cfg = ConfigDict(type='mmdet.CocoDataset', pipeline=[dict(type='Resize')])
    scoped = with_scope(cfg)
    assert isinstance(scoped, ConfigDict) and scoped._scope_ == 'mmdet' and '_scope_' not in cfg
    assert scoped.pipeline == cfg.pipeline
    assert with_scope(dict(type='mmdet.X', _scope_='mmseg'))['_scope_'] == 'mmseg'
    # mmengine puts our scope on whatever is inherited from our configs.
    assert with_scope(dict(type='mmdet.X', _scope_='xlearner_mm'))['_scope_'] == 'mmdet'
    assert with_scope([dict(type='mmseg.A'), dict(type='B')]) == [dict(type='mmseg.A', _scope_='mmseg'), dict(type='B')]


@pytest.mark.parametrize('cfg', [None, 3, 'mmdet.X', dict(type='X'), dict(type=dict), dict(a='mmdet.X')])
def test_with_scope_leaves_others(cfg):
    assert with_scope(cfg) is cfg


def test_a_class_is_named_with_its_library():
    assert kind_of(torch.nn.Linear(1, 1)) == 'torch.Linear' and library_of(ConfigDict()) == 'mmengine'
