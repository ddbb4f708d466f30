import pytest
import torch

from xlearner_mm.models import HintLoss

pytestmark = pytest.mark.compat


def test_values():
    a, b = torch.zeros(1, 2, 2, 2), torch.full((1, 2, 2, 2), 2.0)
    assert HintLoss(dict(mse=3))(a, b) == 12
    assert HintLoss()(a, b) == HintLoss(dict(smooth_l1=1))(a, b) == 1.5
    x = torch.randn(2, 4, 3, 3)
    torch.testing.assert_close(HintLoss(dict(cosine=1))(x, 5 * x), torch.tensor(0.))
    torch.testing.assert_close(HintLoss(dict(cosine=2))(x, -x), torch.tensor(4.))


def test_a_mixture_is_the_weighted_sum():
    a, b = torch.randn(2, 4, 3, 3), torch.randn(2, 4, 3, 3)
    parts = {name: HintLoss({name: 1})(a, b) for name in HintLoss.DISTANCES}
    mixed = HintLoss(dict(cosine=0.9, smooth_l1=0.1, mse=0))
    torch.testing.assert_close(mixed(a, b), 0.9 * parts['cosine'] + 0.1 * parts['smooth_l1'])
    assert list(mixed.terms) == ['cosine', 'smooth_l1']


def test_a_student_of_another_resolution_is_resized():
    assert HintLoss(dict(mse=1))(torch.ones(1, 2, 4, 4), torch.ones(1, 2, 2, 2)) == 0


def test_the_student_is_resized_bilinearly():
    x = torch.tensor([[0., 4.], [8., 12.]]).view(1, 1, 2, 2).requires_grad_()
    loss = HintLoss(dict(mse=1))(x, torch.tensor([0., 1., 3., 4.]).expand(1, 1, 1, 4) + 4)
    assert loss == 0
    HintLoss(dict(mse=1))(x, torch.zeros(1, 1, 1, 1)).backward()
    assert torch.equal(x.grad, torch.full_like(x, 3.))  # 2 * the mean 6, a quarter each


def test_gradients():
    student, teacher = torch.tensor([3., 0.5]).view(1, 2, 1, 1).requires_grad_(), torch.zeros(1, 2, 1, 1)
    HintLoss(dict(smooth_l1=2, mse=10))(student, teacher).backward()
    assert student.grad.flatten().tolist() == [2 / 2 * 1 + 10 * 3, 2 / 2 * 0.5 + 10 * 0.5]


@pytest.mark.parametrize('shape', [(2, 1, 3, 3), (1, 4, 3, 3)])
def test_maps_of_other_channels_or_images_are_not_repeated(shape):
    with pytest.raises(ValueError, match='same images and channels, got .* of the student and .* of the teacher'):
        HintLoss()(torch.ones(shape), torch.ones(2, 4, 3, 3))


def test_distances_are_in_single_precision():
    a, b = torch.full((1, 1, 1, 1), 1.0), torch.full((1, 1, 1, 1), 1.0 + 2**-10)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        loss = HintLoss(dict(mse=1))(a, b)
    assert loss.dtype == torch.float32 and loss.item() == 2.0**-20
    half = HintLoss(dict(cosine=1))(a.bfloat16().requires_grad_(), b.bfloat16())
    assert half.dtype == torch.float32


@pytest.mark.parametrize('terms, error, message', [
    (dict(l2=1), ValueError, 'names l2; there are smooth_l1, mse, cosine'),
    (dict(mse=-1), ValueError, 'must hold weights that are not negative, and one above 0'),
    (dict(mse=0), ValueError, 'one above 0'), ({}, ValueError, 'one above 0'),
    (dict(mse=float('inf')), ValueError, 'all of them finite'),
    (dict(mse=float('nan')), ValueError, 'all of them finite'),
    ({1: 1, 'l2': 1}, ValueError, 'names 1, l2; there are'),
    ('mse', TypeError, r"terms='mse' must be a dict of weights, e\.g\. dict\(cosine=0\.9"),
    (dict(mse='a'), TypeError, 'must be a dict of weights'),
])
def test_wrong_terms(terms, error, message):
    with pytest.raises(error, match=message):
        HintLoss(terms)


def test_cosine_is_over_the_channels_of_each_position():
    student = torch.tensor([[1., 1.], [0., 1.]]).view(1, 2, 1, 2)  # (1, 0) and (1, 1) at the two positions
    teacher = torch.tensor([[1., 0.], [0., 1.]]).view(1, 2, 1, 2)  # (1, 0) and (0, 1)
    torch.testing.assert_close(HintLoss(dict(cosine=1))(student, teacher), torch.tensor((1 - 0.5**0.5) / 2))
