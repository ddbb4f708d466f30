import pytest
from torch.utils.data import DataLoader

from xlearner_mm.engine.eval_settings import build_eval_loader, numbers_by_source

pytestmark = pytest.mark.compat


def test_numbers_by_source():
    assert numbers_by_source('val_cfg.intervals', dict(a=2), ['a', 'b']) == dict(a=2)
    assert numbers_by_source('val_cfg.intervals', None, ['a']) == {}
    with pytest.raises(ValueError, match='val_cfg.intervals.a=True must be a positive integer'):
        numbers_by_source('val_cfg.intervals', dict(a=True), ['a'])


def test_a_loader_that_is_built_is_taken_as_it_is():
    loader = DataLoader([1, 2])
    assert build_eval_loader(None, 'test', 'a', loader, None) is loader
    with pytest.raises(TypeError, match='test_cfg.max_samples.a needs the config of a loader in test_dataloader.a, got '
                       'a DataLoader'):
        build_eval_loader(None, 'test', 'a', loader, 1)
