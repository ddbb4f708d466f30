import pytest
import torch

from test_evaluation.made_features import made_features
from xlearner_mm.evaluation.principal_axes import PrincipalAxes

pytestmark = pytest.mark.compat


@pytest.mark.parametrize('samples', [60, 5])
@pytest.mark.parametrize('standardize', [False, True])
def test_a_layer_does_the_same_in_both_coordinates(samples, standardize):
    vectors = made_features(samples, 8, 3, dtype=torch.double).vectors
    axes = PrincipalAxes(vectors, standardize, torch.device('cpu'))
    assert axes.rows.shape == (samples, min(8, samples - 1))
    layer = torch.randn(axes.rows.shape[1] + 1, 3, dtype=torch.double, generator=torch.Generator().manual_seed(0))
    weight, bias = axes.back(layer)
    assert torch.allclose(vectors @ weight.T + bias, axes.rows @ layer[:-1] + layer[-1])
    assert torch.allclose(axes.into(weight, bias), layer)


def test_the_axes_are_principal_and_of_unit_size():
    vectors = made_features(60, 8, 3, dtype=torch.double).vectors
    axes = PrincipalAxes(vectors, False, torch.device('cpu'))
    assert torch.allclose(axes.rows.T @ axes.rows / 60, axes.variance.diag(), atol=1e-12)
    assert torch.allclose(axes.rows.mean(0), torch.zeros(8, dtype=torch.double), atol=1e-12)
    assert axes.rows.square().sum(1).mean().item() == pytest.approx(1)
