import pytest
import torch

from xlearner_mm.models.squeeze import ChannelL2, PhiS, RunningStandardizer

pytestmark = pytest.mark.compat


def maps(seed=0):
    return torch.randn(4, 4, 5, 5, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize('kind', [ChannelL2, RunningStandardizer, PhiS])
@pytest.mark.parametrize('shape', [(2, 1, 3, 3), (2, 5, 3, 3), (2, 4, 3)])
def test_features_of_another_width_are_refused(kind, shape):
    # One channel would broadcast.
    standardizer = kind(4)
    standardizer(maps())
    with pytest.raises(ValueError, match=r'num_features=4 takes features of shape \(N, 4, H, W\), got \(2, .*must be'):
        standardizer(torch.zeros(shape))


@pytest.mark.parametrize('kind', [RunningStandardizer, PhiS])
@pytest.mark.parametrize('convert', [torch.nn.Module.half, torch.nn.Module.bfloat16])
def test_a_model_in_half_precision_keeps_its_statistics(kind, convert):
    standardizer = convert(torch.nn.Sequential(kind(4)))[0]
    other = kind(4)
    for seed in range(3):
        assert torch.equal(standardizer(maps(seed) + 100), other(maps(seed) + 100))


@pytest.mark.parametrize('kind', [RunningStandardizer, PhiS])
def test_a_device_without_double_precision(kind):

    def move(values):
        if values.dtype == torch.double:
            raise TypeError('no float64 here')
        return values

    standardizer, other = kind(4)._apply(move), kind(4)
    assert torch.double not in {values.dtype for values in standardizer.state_dict().values()}
    for seed in range(3):
        y, expected = standardizer(maps(seed) + 2), other(maps(seed) + 2)
    assert torch.double not in {values.dtype for values in standardizer.state_dict().values()}
    torch.testing.assert_close(y, expected, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize('kind', [ChannelL2, RunningStandardizer, PhiS])
@pytest.mark.parametrize('single', [False, True])
def test_autocast_and_gradients_do_not_reach_the_statistics(kind, single):
    one, two = (kind(4).float() if single else kind(4) for _ in range(2))
    with torch.autocast('cpu', dtype=torch.bfloat16):
        y = one(maps().requires_grad_())
    assert torch.equal(y.detach(), two(maps())) and y.dtype == torch.float
    for key, value in one.state_dict(keep_vars=True).items():
        assert not value.requires_grad and torch.equal(value, two.state_dict()[key])


@pytest.mark.parametrize('kind', [ChannelL2, RunningStandardizer, PhiS])
def test_bfloat16_features_are_computed_in_single_precision(kind):
    x = (10 * maps()).bfloat16()
    y = kind(4)(x)
    assert y.dtype == torch.bfloat16
    assert torch.equal(y, kind(4)(x.float()).bfloat16())


@pytest.mark.parametrize('kind, size', [(RunningStandardizer, 9), (PhiS, 25)])
def test_one_reduction_a_call(kind, size, monkeypatch):
    sums = []
    monkeypatch.setattr(f'{kind.__module__}.all_reduce', lambda values: sums.append(values.numel()))
    standardizer = kind(4)
    standardizer(maps())
    assert sums == [size]
    standardizer.eval()(maps())
    assert sums == [size]
