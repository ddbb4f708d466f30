import pytest
import torch
from mmengine.registry import FUNCTIONS
from mmengine.runner import Runner
from mmengine.structures import BaseDataElement

from xlearner_mm.datasets import collate_by_source

pytestmark = pytest.mark.compat


def sample(source, value):
    return dict(inputs=torch.full((3, 2, 2 + value), value), data_samples=BaseDataElement(metainfo=dict(source=source)))


def test_groups_in_the_order_of_the_batch():
    samples = [sample('b', 0), sample('b', 1), sample('a', 2)]
    batch = collate_by_source(samples)
    assert list(batch) == ['b', 'a']
    assert [len(batch[s]['inputs']) for s in batch] == [2, 1]
    for source, expected in (('b', samples[:2]), ('a', samples[2:])):
        assert set(batch[source]) == {'inputs', 'data_samples'}
        for key in batch[source]:
            assert isinstance(batch[source][key], list)
            assert all(x is s[key] for x, s in zip(batch[source][key], expected, strict=True))


def test_is_found_by_its_name():
    assert FUNCTIONS.get('xlearner_mm.collate_by_source') is collate_by_source


def test_runs_in_a_config_that_was_inherited_by_its_scope():
    # mmengine puts the scope on every dict of such a config, and gives all but the type to the function.
    cfg = dict(type='xlearner_mm.collate_by_source', _scope_='xlearner_mm')
    loader = Runner.build_dataloader(dict(
        dataset=[sample('a', 0)], batch_size=1, sampler=dict(type='DefaultSampler', shuffle=False), collate_fn=cfg))
    assert list(next(iter(loader))) == ['a']
