import pytest
import torch
import torch.nn.functional as F

from xlearner_mm.models.squeeze import LadderConnector, LinearConnector

pytestmark = pytest.mark.compat


def test_linear_rungs_may_be_resized_before_or_after():
    torch.manual_seed(0)
    ladder = LadderConnector([3, 5, 7], 4)
    fine, coarse, last = torch.randn(2, 3, 8, 12), torch.randn(2, 5, 2, 3), torch.randn(2, 7, 4, 6)
    one, two, three = (rung([x]) for rung, x in zip(ladder.rungs, (fine, coarse, last), strict=True))
    expected = F.avg_pool2d(one, 2) + F.interpolate(two, (4, 6), mode='bilinear', align_corners=False) + three
    torch.testing.assert_close(ladder([fine, coarse, last]), expected)


def test_rungs_are_linear_by_default_and_one_a_level():
    ladder = LadderConnector([3, 5], 4)
    assert [type(rung) for rung in ladder.rungs] == [LinearConnector] * 2
    assert [rung.projection.in_channels for rung in ladder.rungs] == [3, 5]


@pytest.mark.parametrize('connector', ['MLPConnector', {}, dict(hidden_channels=2)])
def test_wrong_connector(connector):
    with pytest.raises(TypeError, match=r"LadderConnector\.connector=.* must be a config with a type, e\.g\. dict"):
        LadderConnector([3, 5], 4, connector)


def test_a_side_that_is_longer_is_averaged_while_the_other_is_interpolated():
    ladder = LadderConnector([1, 1], 1)
    for rung in ladder.rungs:
        torch.nn.init.ones_(rung.projection.weight)
        torch.nn.init.zeros_(rung.projection.bias)
    x = torch.tensor([1., 0., 0., 0.]).view(1, 1, 4, 1)
    expected = torch.tensor([[.5, .5], [0., 0.]]).view(1, 1, 2, 2)
    torch.testing.assert_close(ladder([x, torch.zeros(1, 1, 2, 2)]), expected)
