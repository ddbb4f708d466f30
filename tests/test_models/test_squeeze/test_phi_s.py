import pytest
import torch

from xlearner_mm.models.squeeze import PhiS

pytestmark = pytest.mark.compat


@pytest.mark.parametrize('channels', [2, 4, 8])
def test_values_of_a_planted_covariance(channels):
    """Uncorrelated channels of variances 1, 4, 9, ...: the axes are the channels, the matrix is of signs."""
    deviations = torch.arange(1., channels + 1)
    rows = torch.cat([deviations.diag(), -deviations.diag()]) * channels**0.5  # covariance: the squares on the diagonal
    standardizer = PhiS(channels, eps=0)
    standardizer(rows.T.reshape(1, channels, 2 * channels, 1) - 3)
    phi = deviations.square().mean().sqrt()
    torch.testing.assert_close(standardizer.mean, torch.full((channels, ), -3.))
    torch.testing.assert_close(standardizer.matrix.abs(), torch.full((channels, channels), 1 / phi / channels**0.5))
    torch.testing.assert_close(standardizer.matrix @ standardizer.matrix.T, torch.eye(channels) / phi**2)


def test_the_map_can_be_inverted_by_a_rotation_and_a_factor():
    scale = torch.tensor([9., 1., 2., .1, 4.]).view(5, 1, 1)
    x = torch.randn(6, 5, 4, 4, generator=torch.Generator().manual_seed(0)) * scale
    standardizer = PhiS(5)
    y = standardizer(x)
    factor = standardizer.matrix.square().sum(1)
    torch.testing.assert_close(factor, factor[:1].expand(5))
    back = torch.einsum('ji,njhw->nihw', standardizer.matrix / factor[0], y) + standardizer.mean.view(5, 1, 1)
    torch.testing.assert_close(back, x, rtol=1e-4, atol=1e-4)


def test_frozen_statistics_do_not_follow_other_features():
    x = torch.randn(2, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    standardizer = PhiS(3, estimate_steps=1)
    y = standardizer(x)
    standardizer(100 * x + 5)
    assert torch.equal(standardizer(x), y)


def test_a_resumed_estimation_goes_on_as_if_nothing_had_happened():
    steps = [torch.randn(2, 3, 4, 4, generator=torch.Generator().manual_seed(seed)) for seed in range(5)]
    whole = PhiS(3, estimate_steps=4)
    resumed = PhiS(3, estimate_steps=4)
    for index, x in enumerate(steps):
        expected = whole(x)
        state = resumed.state_dict()
        resumed = PhiS(3, estimate_steps=4)
        resumed.load_state_dict(state)
        assert torch.equal(resumed(x), expected), index


def test_the_axes_have_fixed_signs(monkeypatch):
    x = torch.randn(8, 5, 4, 4, generator=torch.Generator().manual_seed(0)) * torch.arange(1., 6.).view(5, 1, 1)
    y, eigh = PhiS(5)(x), torch.linalg.eigh

    def flipped(matrix):
        values, axes = eigh(matrix)
        return values, axes * torch.tensor([1., -1., 1., -1., -1.])

    monkeypatch.setattr(torch.linalg, 'eigh', flipped)
    torch.testing.assert_close(PhiS(5)(x), y)


def test_rounding_does_not_make_the_mean_variance_negative():
    x = torch.full((1, 6, 30, 30), 1e9)
    for step in range(20):
        x[0, :, 0, step] += 64  # the least that single precision can add; its square is lost in the sum of squares
        assert PhiS(6)(x).isfinite().all()


def test_ranks_take_the_axes_of_the_first_one(monkeypatch):
    given = torch.eye(3)
    monkeypatch.setattr(f'{PhiS.__module__}.broadcast', lambda values: values.copy_(given))
    standardizer = PhiS(3)
    standardizer(torch.randn(2, 3, 4, 4))
    assert torch.equal(standardizer.matrix, given)


@pytest.mark.parametrize('value', [float('nan'), float('inf')])
def test_features_that_are_not_finite(value):
    x = torch.ones(1, 3, 2, 2)
    x[0, 1, 0, 0] = value
    with pytest.raises(FloatingPointError, match='teacher features that are not finite: look for broken images'):
        PhiS(3)(x)
