"""What each standardizer promises, on features with a planted mean and scale by channel."""


import pytest
import torch
from mmengine.registry import MODELS

import standardizer_ranks as ranks
from rank_group import spawn
from xlearner_mm.models import HintLoss
from xlearner_mm.models.squeeze import BatchStandardizer, ChannelL2, PhiS, RunningStandardizer

pytestmark = pytest.mark.compat

STATISTICAL = [BatchStandardizer, RunningStandardizer, PhiS]
SCALE = torch.tensor([.02, 1., 30., 500.]).view(1, 4, 1, 1)
SHIFT = torch.tensor([3., -700., 0., 1.]).view(1, 4, 1, 1)


def maps(seed=0, n=8, channels=4):
    x = torch.randn(n, channels, 6, 6, generator=torch.Generator().manual_seed(seed))
    return x + 0.5 * x.roll(1, 1)  # channels are correlated


def hint(standardizer, teacher):
    """Hint loss of a fixed student."""
    return HintLoss(dict(mse=1))(maps(99, channels=teacher.shape[1]), standardizer(teacher))


@pytest.mark.parametrize('kind', [BatchStandardizer, RunningStandardizer])
def test_an_affine_map_of_each_channel_does_not_matter(kind):
    plain, planted = kind(4), kind(4, eps=1e-12)
    for seed in range(5):
        expected, loss = hint(plain, maps(seed)), hint(planted, maps(seed) * SCALE + SHIFT)
    torch.testing.assert_close(loss, expected, rtol=2e-3, atol=0)
    assert abs(hint(torch.nn.Identity(), maps(4) * SCALE + SHIFT) / expected - 1) > 100  # it would matter a lot


@pytest.mark.parametrize('kind', [BatchStandardizer, RunningStandardizer])
def test_channels_have_mean_0_and_variance_1(kind):
    standardizer = kind(4)
    y = standardizer(maps() * SCALE + SHIFT)
    torch.testing.assert_close(y.mean((0, 2, 3)), torch.zeros(4), rtol=0, atol=1e-3)
    torch.testing.assert_close(y.var((0, 2, 3), unbiased=False)[1:], torch.ones(3), rtol=1e-3, atol=0)


def test_a_factor_on_a_position_does_not_matter_to_channel_l2():
    factor = torch.rand(8, 1, 6, 6) * 100 + 0.1
    y = ChannelL2(4)(maps() * factor)
    torch.testing.assert_close(y, ChannelL2(4)(maps()))
    torch.testing.assert_close(y.square().sum(1), torch.ones(8, 6, 6))


@pytest.mark.parametrize('channels', [4, 5, 12])
def test_phi_s_gives_every_channel_variance_1_and_keeps_angles(channels):
    x = maps(channels=channels) * torch.logspace(-2, 2, channels).view(1, -1, 1, 1) + 7
    y = PhiS(channels, eps=1e-12)(x)
    torch.testing.assert_close(y.mean((0, 2, 3)), torch.zeros(channels), rtol=0, atol=1e-3)
    torch.testing.assert_close(y.var((0, 2, 3), unbiased=False), torch.ones(channels), rtol=1e-4, atol=0)
    # One scale for all directions: distances between positions are those of before, but for one factor.
    rows = [z.movedim(1, -1).flatten(0, -2).double() for z in (x, y)]
    before, after = (torch.nn.functional.pdist(z) for z in rows)
    ratio = after / before
    torch.testing.assert_close(ratio, ratio[0].expand_as(ratio), rtol=1e-2, atol=0)


def test_a_rotation_a_factor_and_a_shift_do_not_matter_to_phi_s_but_for_a_rotation():
    x = maps(channels=6)
    turn = torch.linalg.qr(torch.randn(6, 6, generator=torch.Generator().manual_seed(1)))[0]
    turned = 50 * torch.einsum('ij,njhw->nihw', turn, x) - 20
    one, two = PhiS(6, eps=1e-12)(x), PhiS(6, eps=1e-12)(turned)
    one, two = (z.movedim(1, -1).flatten(0, -2) for z in (one, two))
    torch.testing.assert_close(one @ one.T, two @ two.T, rtol=1e-3, atol=1e-2)


def test_phi_s_stops_estimating(monkeypatch):
    standardizer, solved = PhiS(4, estimate_steps=6), []
    solve = standardizer._solve
    monkeypatch.setattr(standardizer, '_solve', lambda: (solved.append(int(standardizer.steps)), solve()))
    for seed in range(9):
        standardizer(maps(seed))
    assert solved == [1, 2, 4, 6]
    together = torch.cat([maps(seed) for seed in range(6)])
    expected = PhiS(4, estimate_steps=1)
    expected(together)
    torch.testing.assert_close(standardizer.mean, expected.mean)
    torch.testing.assert_close(standardizer.matrix, expected.matrix, rtol=1e-4, atol=1e-5)


def test_running_statistics_are_decaying_averages():
    standardizer = RunningStandardizer(1, momentum=0.25, eps=0)
    values = []
    for value in (2., 6., 10.):
        x = torch.tensor([value - 1, value + 1]).view(2, 1, 1, 1)
        standardizer(x)
        values.append(value)
    weights = torch.tensor([0.25 * 0.75**2, 0.25 * 0.75, 0.25])
    weights /= weights.sum()
    mean = (weights * torch.tensor(values)).sum()
    variance = (weights * (torch.tensor(values)**2 + 1)).sum() - mean**2
    standardizer.eval()
    torch.testing.assert_close(standardizer(torch.tensor(12.).view(1, 1, 1, 1)).squeeze(), (12 - mean) / variance**0.5)


@pytest.mark.parametrize('kind', [*STATISTICAL, ChannelL2])
def test_a_constant_channel_a_state_dict_and_half_precision(kind):
    standardizer = kind(4)
    x = maps()
    x[:, 1] = 3.
    y = standardizer(x)
    assert torch.isfinite(y).all()
    other = kind(4)
    other.load_state_dict(standardizer.state_dict())
    assert torch.equal(other.eval()(maps(1)), standardizer.eval()(maps(1)))
    half = standardizer(maps(1).bfloat16())
    assert half.dtype == torch.bfloat16
    torch.testing.assert_close(half.float(), standardizer(maps(1)), rtol=0.05, atol=0.05)


@pytest.mark.parametrize('kind', [RunningStandardizer, PhiS])
def test_evaluation_changes_nothing_and_needs_statistics(kind):
    standardizer = kind(4).eval()
    with pytest.raises(RuntimeError, match=f'{kind.__name__} that has seen no batch cannot standardise: train first'):
        standardizer(maps())
    standardizer.train()(maps())
    before = {key: value.clone() for key, value in standardizer.state_dict().items()}
    standardizer.eval()(maps(1))
    assert all(torch.equal(value, before[key]) for key, value in standardizer.state_dict().items())


@pytest.mark.parametrize('cfg, message', [
    (dict(type='RunningStandardizer', momentum=0), 'momentum=0 must be above 0 and at most 1'),
    (dict(type='PhiS', estimate_steps=0), 'estimate_steps=0 must be at least 1'),
])
def test_wrong_settings(cfg, message):
    with pytest.raises(ValueError, match=message):
        MODELS.build(dict(cfg, type=f'xlearner_mm.{cfg["type"]}', num_features=4))


def test_statistics_of_two_ranks_are_those_of_their_features_together(tmp_path):
    states = spawn(ranks.update_rank, ranks.RANKS, tmp_path)
    alone = ranks.build()
    for step in range(ranks.STEPS):
        for standardizer in alone.values():
            standardizer(torch.cat([ranks.maps(step, rank) for rank in range(ranks.RANKS)]))
    for name, standardizer in alone.items():
        for key, value in standardizer.state_dict().items():
            assert torch.equal(states[0][name][key], states[1][name][key])
            torch.testing.assert_close(states[0][name][key], value, rtol=1e-6, atol=1e-6, msg=f'{name}.{key}')
