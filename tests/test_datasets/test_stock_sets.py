from types import SimpleNamespace

import pytest
from mmengine.dataset import RepeatDataset
from torch.utils.data import ConcatDataset, Subset

from xlearner_mm.datasets import MultiSourceDataset
from xlearner_mm.datasets.stock_sets import classes_of, leaves, metainfo_of

pytestmark = pytest.mark.compat


def test_leaves_of_nested_wrappers(stock):
    sets = list(MultiSourceDataset(stock).sources.values())
    nested = ConcatDataset([RepeatDataset(sets[1], 2), sets[1]])
    assert list(leaves(nested)) == [sets[1]] * 2
    assert list(leaves(Subset(sets[0], []))) == [sets[0]] and list(leaves(sets[2])) == [sets[2]]


def test_metainfo_and_classes(stock):
    assert classes_of(MultiSourceDataset(stock).sources['boxes']) == ('a', 'b')
    assert classes_of(SimpleNamespace(metainfo=dict(classes=['x']))) == ('x', )
    assert classes_of(SimpleNamespace(metainfo=dict(classes='car'))) == ('car', )
    assert classes_of([1]) is None and classes_of(SimpleNamespace(metainfo=dict(classes=()))) is None
    assert metainfo_of([1]) == {}
