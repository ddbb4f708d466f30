import pytest
from torch.utils.data import DataLoader

from xlearner_mm.engine import SourceLoaders

pytestmark = pytest.mark.compat


def test_one_after_the_other():
    loaders = SourceLoaders(dict(a=DataLoader([1, 2, 3], batch_size=2), b=DataLoader([4])))
    assert len(loaders) == 3
    assert [(source, batch.tolist()) for source, batch in loaders] == [('a', [1, 2]), ('a', [3]), ('b', [4])]


def test_an_empty_source_is_refused():
    with pytest.raises(ValueError, match="validation data of source 'b' has no samples.*val_dataloader.b.dataset"):
        SourceLoaders(dict(a=DataLoader([1]), b=DataLoader([])))
