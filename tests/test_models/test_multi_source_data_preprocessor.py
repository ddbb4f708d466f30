import pytest
import torch
from mmengine.registry import MODELS

from tiny import batch, batches, xlearner

pytestmark = pytest.mark.compat


def test_each_source_has_its_own_stock_preprocessor():
    model = MODELS.build(xlearner())
    processed = model.data_preprocessor(batches(), True)
    assert list(processed) == ['inputs', 'data_samples']
    assert {s: tuple(x.shape) for s, x in processed['inputs'].items()} == dict.fromkeys(batches(), (2, 3, 64, 64))
    alone = model.branches['maps'].data_preprocessor(batch('maps'), True)
    assert torch.equal(processed['inputs']['maps'], alone['inputs'])


def test_moves_with_the_model():
    model = MODELS.build(xlearner())
    model.to('meta')
    assert model.branches['boxes'].data_preprocessor.device == torch.device('meta')


@pytest.mark.parametrize('data, named', [(dict(cats={}), "'cats'"), (batch('photos'), "'inputs', 'data_samples'")])
def test_unknown_sources_are_named(data, named):
    model = MODELS.build(xlearner())
    with pytest.raises(ValueError, match=f'holds {named}, but the model has the sources photos, boxes, maps'):
        model.data_preprocessor(data)
