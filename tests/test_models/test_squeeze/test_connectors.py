"""All connectors: what they give, what they learn, and that they do not look at the batch."""

import pytest
import torch
from mmengine.registry import MODELS

from xlearner_mm.models.squeeze import LadderConnector, LinearConnector, MLPConnector

pytestmark = pytest.mark.compat

WIDTHS = [3, 5, 7]


def maps(n=2, size=16):
    return [torch.randn(n, c, size >> i, size >> i) for i, c in enumerate(WIDTHS)]


@pytest.mark.parametrize('kind', [LinearConnector, MLPConnector, LadderConnector])
def test_width_size_and_gradients(kind):
    connector, features = kind(WIDTHS, 11), [x.requires_grad_() for x in maps()]
    y = connector(features)
    assert y.shape == (2, 11, 4, 4)
    y.square().sum().backward()
    assert all(p.grad is not None and p.grad.any() for p in connector.parameters())
    read = [x.grad is not None for x in features]
    assert read == ([True] * 3 if kind is LadderConnector else [False, False, True])
    torch.testing.assert_close(connector([x[:1] for x in features]), y[:1])  # alone as in a batch


def test_linear_is_a_1x1_convolution():
    connector, (*_, x) = LinearConnector(WIDTHS, 2), maps()
    (weight, bias) = connector.projection.weight[:, :, 0, 0], connector.projection.bias
    expected = torch.einsum('oc,nchw->nohw', weight, x) + bias.view(1, -1, 1, 1)
    torch.testing.assert_close(connector([x]), expected)


def test_mlp_has_as_many_layers_as_asked():
    connector = MLPConnector(WIDTHS, 11, hidden_channels=6, num_layers=3)
    shapes = [tuple(m.weight.shape[:2]) for m in connector.layers if isinstance(m, torch.nn.Conv2d)]
    assert shapes == [(6, 7), (6, 6), (11, 6)]
    bent = connector([x * 2 for x in maps()])
    assert not torch.allclose(connector([x * -2 for x in maps()]) + bent, 2 * connector([x * 0 for x in maps()]))
    with pytest.raises(ValueError, match=r'num_layers=1 must be at least 2; one is a LinearConnector'):
        MLPConnector(WIDTHS, 11, num_layers=1)


def test_a_ladder_sums_its_rungs_at_the_last_size():
    ladder = MODELS.build(dict(type='xlearner_mm.LadderConnector', in_channels=WIDTHS, out_channels=4,
                               connector=dict(type='xlearner_mm.MLPConnector', hidden_channels=2)))
    one, two, three = maps()
    pooled = [torch.nn.functional.avg_pool2d(one, 4), torch.nn.functional.avg_pool2d(two, 2), three]
    expected = sum(rung([x]) for rung, x in zip(ladder.rungs, pooled, strict=True))
    torch.testing.assert_close(ladder([one, two, three]), expected)
    assert all(isinstance(rung, MLPConnector) for rung in ladder.rungs)
    small = torch.randn(2, 3, 2, 2)  # a dilated student's last level may be finer
    assert ladder([small, two, three]).shape == (2, 4, 4, 4)
