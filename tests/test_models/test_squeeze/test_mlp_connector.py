import pytest
import torch
import torch.nn.functional as F

from xlearner_mm.models.squeeze import MLPConnector

pytestmark = pytest.mark.compat


def test_values():
    connector, x = MLPConnector([3, 5], 4), torch.randn(2, 5, 3, 2)
    first, _, _, last = connector.layers
    y = F.conv2d(x, first.weight, first.bias)
    y = (y - y.mean(1, keepdim=True)) / (y.var(1, unbiased=False, keepdim=True) + 1e-5).sqrt()
    torch.testing.assert_close(connector([x]), F.conv2d(F.gelu(y), last.weight, last.bias))
    assert first.out_channels == 4  # the teacher's width by default


@pytest.mark.parametrize('cfg, error, message', [
    (dict(hidden_channels=0), ValueError, 'hidden_channels=0 must be at least 1; leave it out for the width of the'),
    (dict(hidden_channels=-2), ValueError, 'hidden_channels=-2 must be at least 1'),
    (dict(hidden_channels=2.5), TypeError, r'hidden_channels=2\.5 must be an integer'),
    (dict(num_layers='2'), TypeError, "num_layers='2' must be an integer"),
])
def test_wrong_settings(cfg, error, message):
    with pytest.raises(error, match=f'MLPConnector.{message}'):
        MLPConnector([3], 4, **cfg)
