import pytest
import torch

from xlearner_mm.models import HintLoss

pytestmark = pytest.mark.compat


def test_values():
    a, b = torch.zeros(1, 2, 2, 2), torch.full((1, 2, 2, 2), 2.0)
    assert HintLoss('mse', weight=3)(a, b) == 12
    assert HintLoss('smooth_l1')(a, b) == 1.5
    x = torch.randn(2, 4, 3, 3)
    torch.testing.assert_close(HintLoss('cosine')(x, 5 * x), torch.tensor(0.))
    torch.testing.assert_close(HintLoss('cosine', weight=2)(x, -x), torch.tensor(4.))


def test_a_student_of_another_resolution_is_resized():
    assert HintLoss('mse')(torch.ones(1, 2, 4, 4), torch.ones(1, 2, 2, 2)) == 0


@pytest.mark.parametrize('kwargs, message', [(dict(kind='l2'), "kind='l2' must be one of smooth_l1, mse, cosine"),
                                             (dict(weight=-1), 'weight=-1 must not be negative')])
def test_wrong_arguments(kwargs, message):
    with pytest.raises(ValueError, match=message):
        HintLoss(**kwargs)
