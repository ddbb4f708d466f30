from unittest.mock import patch

import pytest
import torch
import torch.nn.functional as F

from test_evaluation.made_features import made_features
from xlearner_mm.evaluation import SoftmaxRegression

pytestmark = pytest.mark.compat


@pytest.mark.parametrize('standardize', [False, True])
@pytest.mark.parametrize('chunk', [7, 4096])
def test_it_is_the_loss_of_a_layer_on_the_features(standardize, chunk):
    train = made_features(50, 8, 3, dtype=torch.double)
    with patch('xlearner_mm.evaluation.principal_axes.CHUNK', chunk), \
            patch('xlearner_mm.evaluation.softmax_regression.CHUNK', chunk):
        problem = SoftmaxRegression(train, standardize)
        layer = torch.randn(9, 3, dtype=torch.double, generator=torch.Generator().manual_seed(0)).requires_grad_()
        found = problem.evaluate(layer.detach(), 2.)
    weight, bias = problem.axes.back(layer)
    logits = train.vectors @ weight.T + bias
    scale = train.vectors.std(0, correction=0) if standardize else 1.
    loss = F.cross_entropy(logits, train.labels, reduction='sum') + (weight * scale).square().sum()
    assert found.loss == pytest.approx(loss.item(), rel=1e-12)
    assert torch.allclose(found.gradient, torch.autograd.grad(loss, layer)[0], rtol=1e-10)
    p = logits.softmax(1)
    assert torch.allclose(found.variance, (p * (1 - p)).sum(0))


def test_curvature_is_exact_without_weights():
    problem = SoftmaxRegression(made_features(50, 8, 3, dtype=torch.double))
    found = problem.curvature(problem.initial.variance, 2.)
    step = 1e-4
    for entry in ((0, 0), (4, 2), (7, 1), (8, 1)):  # in the last row the bias
        moved = torch.zeros_like(problem.prior)
        moved[entry] = step
        first, second = (problem.evaluate(problem.prior + sign * moved, 2.).gradient[entry] for sign in (1, -1))
        assert found[entry].item() == pytest.approx(((first - second) / (2 * step)).item(), rel=1e-5)


def test_narrow_features_are_computed_in_single_precision():
    train = made_features(50, 8, 3)
    problem = SoftmaxRegression(train._replace(vectors=train.vectors.half()))
    assert problem.axes.rows.dtype == problem.initial.gradient.dtype == torch.float32
