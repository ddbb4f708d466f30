import math
from unittest.mock import patch

import pytest
import torch
import torch.nn.functional as F
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from test_evaluation.made_features import made_features, split
from xlearner_mm.evaluation import Features, SoftmaxRegression, fit_linear

pytestmark = pytest.mark.compat


@pytest.fixture(scope='module')
def made():
    return split(made_features(900, 48, 6, dtype=torch.double), 600)


def loss_of(weight, bias, train, strength):
    """What the docstring promises, by autograd's own functions; the penalty of several classes."""
    cross_entropy = F.cross_entropy(train.vectors.double() @ weight.double().T + bias.double(), train.labels)
    return cross_entropy + strength / 2 * weight.double().square().sum() / len(train.labels)


@pytest.mark.parametrize('strength', [1e3, 10., 0.1])
@pytest.mark.parametrize('standardize', [False, True])
def test_its_optimum_is_that_of_scikit_learn(made, strength, standardize):
    train, test = made
    scaler = StandardScaler(with_mean=standardize, with_std=standardize).fit(train.vectors)
    theirs = LogisticRegression(C=1 / strength, tol=1e-9, max_iter=10000).fit(
        scaler.transform(train.vectors), train.labels)
    ours = fit_linear(SoftmaxRegression(train, standardize), strength, tolerance=1e-7)
    assert ours.converged and ours.gradient <= 1e-7
    scale = torch.from_numpy(scaler.scale_) if standardize else 1.
    assert torch.allclose(ours.weight * scale, torch.from_numpy(theirs.coef_), atol=1e-4)
    assert torch.equal(ours.predict(test.vectors), torch.from_numpy(theirs.predict(scaler.transform(test.vectors))))
    if not standardize:
        expected = loss_of(torch.from_numpy(theirs.coef_), torch.from_numpy(theirs.intercept_), train, strength)
        assert math.isclose(ours.loss, expected, abs_tol=1e-9)


def test_two_classes_are_those_of_scikit_learn_too(made):
    train = Features(made[0].vectors, made[0].labels % 2)
    theirs = LogisticRegression(C=0.1, tol=1e-9, max_iter=10000).fit(train.vectors, train.labels)
    ours = fit_linear(SoftmaxRegression(train), 10., tolerance=1e-7)
    assert torch.allclose(ours.weight[1:] - ours.weight[:1], torch.from_numpy(theirs.coef_), atol=1e-5)


@pytest.mark.parametrize('samples', [600, 30])  # fewer samples than channels, too
def test_the_gradient_vanishes_at_the_optimum(made, samples):
    train, _ = split(made[0], samples)
    fit = fit_linear(SoftmaxRegression(train), 1., tolerance=1e-7)
    weight, bias = fit.weight.clone().requires_grad_(), fit.bias.clone().requires_grad_()
    loss = loss_of(weight, bias, train, 1.)
    assert math.isclose(loss.item(), fit.loss, rel_tol=1e-9)
    assert max(g.abs().max() for g in torch.autograd.grad(loss, (weight, bias))) < 1e-7


def test_single_precision_finds_the_same(made):
    double = fit_linear(SoftmaxRegression(made[0]), 1.)
    single = fit_linear(SoftmaxRegression(Features(made[0].vectors.float(), made[0].labels)), 1.)
    assert single.weight.dtype == torch.float32 and single.converged
    assert math.isclose(single.loss, double.loss, abs_tol=1e-5)


@pytest.mark.parametrize('dtype', [torch.float32, torch.float64])
def test_constant_features_leave_the_frequencies_of_the_classes(dtype):
    labels = torch.tensor([0] * 30 + [1] * 50 + [2] * 20)
    constant = torch.full((100, 5), 0.1, dtype=dtype)
    for standardize in (False, True):
        fit = fit_linear(SoftmaxRegression(Features(constant, labels), standardize), 1e-3)
        assert fit.converged and not fit.weight.any()
        assert torch.allclose(fit.bias.softmax(0), torch.tensor([0.3, 0.5, 0.2], dtype=dtype))


def test_a_constant_feature_beside_others_does_nothing(made):
    train = made[0]
    more = Features(torch.hstack((train.vectors, torch.full((600, 1), 1e3, dtype=torch.double))), train.labels)
    for standardize in (False, True):
        plain, fit = (fit_linear(SoftmaxRegression(f, standardize), 1., tolerance=1e-6) for f in (train, more))
        assert fit.converged and fit.weight[:, -1].abs().max() < 1e-9
        assert torch.allclose(fit.weight[:, :-1], plain.weight, atol=1e-4)


def test_features_of_very_unlike_scales(made):
    train, test = made
    scales = torch.logspace(-4, 4, 48, dtype=torch.double)
    scaled = Features(train.vectors * scales, train.labels)
    plain = fit_linear(SoftmaxRegression(train, standardize=True), 1.)
    fit = fit_linear(SoftmaxRegression(scaled, standardize=True), 1.)
    assert fit.converged and math.isclose(fit.loss, plain.loss, abs_tol=1e-5)
    # Without it their penalties differ; what counts is that the optimum is found.
    raw = fit_linear(SoftmaxRegression(scaled), 1e-2, tolerance=1e-6)
    weight, bias = raw.weight.clone().requires_grad_(), raw.bias.clone().requires_grad_()
    gradient = torch.autograd.grad(loss_of(weight, bias, scaled, 1e-2), weight)[0] / scales
    assert raw.converged and gradient.abs().max() < 1e-5
    assert torch.equal(raw.predict(test.vectors * scales), (test.vectors * scales @ raw.weight.T + raw.bias).argmax(1))


def test_the_unit_of_all_features_does_not_matter(made):
    """Strength scales with the square of it."""
    tiny = Features(made[0].vectors * 1e-6, made[0].labels)
    plain, fit = fit_linear(SoftmaxRegression(made[0]), 1.), fit_linear(SoftmaxRegression(tiny), 1e-12)
    assert fit.evaluations == plain.evaluations
    assert torch.allclose(fit.weight * 1e-6, plain.weight, rtol=1e-4, atol=1e-6)


def test_classes_without_samples_take_no_part(made):
    labels = torch.tensor([2, 3, 5, 7, 11, 13])[made[0].labels]
    fit = fit_linear(SoftmaxRegression(Features(made[0].vectors, labels)), 1.)
    assert fit.classes.tolist() == [2, 3, 5, 7, 11, 13] and fit.weight.shape == (6, 48)
    assert set(fit.predict(made[1].vectors).tolist()) <= {2, 3, 5, 7, 11, 13}
    assert fit.bias.isfinite().all()


def test_a_start_nearby_spares_steps(made):
    problem = SoftmaxRegression(made[0])
    stronger, cold = fit_linear(problem, 1.3), fit_linear(problem, 1.)
    warm = fit_linear(problem, 1., stronger)
    assert warm.converged and warm.evaluations < cold.evaluations
    assert math.isclose(warm.loss, cold.loss, abs_tol=1e-6)


def test_the_first_step_is_that_of_newton(made):
    """A strong penalty makes the loss a parabola."""
    assert fit_linear(SoftmaxRegression(made[0]), 1e6).evaluations == 2


def test_a_start_of_other_classes_is_refused(made):
    start = fit_linear(SoftmaxRegression(made[0]), 1.)
    with pytest.raises(ValueError, match='start classifies 6 classes, the training samples have other ones, 2. Start'):
        fit_linear(SoftmaxRegression(Features(made[0].vectors, made[0].labels % 2)), 1., start)


def test_it_is_reproducible(made):
    one, other = (fit_linear(SoftmaxRegression(made[0]), 1.) for _ in range(2))
    assert torch.equal(one.weight, other.weight) and torch.equal(one.bias, other.bias)


def test_an_end_before_the_optimum_is_told(made):
    with patch('xlearner_mm.evaluation.linear_fit.print_log') as log:
        assert fit_linear(SoftmaxRegression(made[0]), 1.).converged
        assert not log.called
        fit = fit_linear(SoftmaxRegression(made[0]), 1., max_iter=3)
    assert not fit.converged and fit.gradient > 1e-4
    assert log.call_args.args[0].startswith('The linear classifier of L2 strength 1 has not converged after ')


@pytest.mark.parametrize('strength', [0., -1., math.inf, math.nan])
def test_a_strength_without_an_optimum_is_refused(made, strength):
    with pytest.raises(ValueError, match=f'L2 strength {strength} must be above 0 and finite'):
        fit_linear(SoftmaxRegression(made[0]), strength)


def test_one_class_is_refused(made):
    with pytest.raises(ValueError, match='All 600 training samples have the label 4: there is nothing to tell apart'):
        SoftmaxRegression(Features(made[0].vectors, torch.full((600, ), 4)))
