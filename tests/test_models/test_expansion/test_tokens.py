import pytest
import torch

from xlearner_mm.models.expansion.tokens import to_map, to_tokens

pytestmark = pytest.mark.compat


def test_maps_are_views_of_tokens():
    tokens = torch.randn(2, 12, 5)
    x = to_map(tokens, (3, 4))
    assert x.shape == (2, 5, 3, 4) and torch.equal(x[1, :, 2, 1], tokens[1, 9])
    back, hw_shape = to_tokens(x)
    assert hw_shape == (3, 4) and torch.equal(back, tokens) and back.data_ptr() == tokens.data_ptr()
    assert to_tokens(x.contiguous())[0].is_contiguous()  # behind a link the map need not be a view of tokens
