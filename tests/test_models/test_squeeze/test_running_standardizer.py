import pytest
import torch

from xlearner_mm.models.squeeze import RunningStandardizer

pytestmark = pytest.mark.compat


def test_a_large_mean_costs_no_precision():
    x = torch.randn(8, 2, 16, 16, generator=torch.Generator().manual_seed(0))
    y = RunningStandardizer(2, eps=0)(x + 4096)  # in single precision, the variance would be lost
    torch.testing.assert_close(y.var((0, 2, 3), unbiased=False), torch.ones(2), rtol=1e-3, atol=0)


@pytest.mark.parametrize('momentum', [0.001, 0.01, 1.])
def test_the_first_step_is_right_already(momentum):
    x = torch.tensor([8., 12.]).view(2, 1, 1, 1)
    y = RunningStandardizer(1, momentum, eps=0)(x)
    torch.testing.assert_close(y.flatten(), torch.tensor([-1., 1.]))


def test_a_resumed_average_goes_on_as_if_nothing_had_happened():
    steps = [torch.randn(2, 3, 4, 4, generator=torch.Generator().manual_seed(seed)) for seed in range(3)]
    whole, resumed = RunningStandardizer(3), RunningStandardizer(3)
    for x in steps:
        expected = whole(x)
        state = resumed.state_dict()
        resumed = RunningStandardizer(3)
        resumed.load_state_dict(state)
        assert torch.equal(resumed(x), expected)


def test_rounding_does_not_make_the_variance_of_constant_channels_negative():
    x = (1e6 + torch.arange(64.) / 4).view(1, 64, 1, 1).expand(2, 64, 3, 3)
    standardizer = RunningStandardizer(64, momentum=0.3)
    for _ in range(3):
        assert standardizer(x).abs().max() < 1e-3
