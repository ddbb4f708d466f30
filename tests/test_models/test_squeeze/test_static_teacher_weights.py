import pytest
import torch

from xlearner_mm.models.squeeze import StaticTeacherWeights

pytestmark = pytest.mark.compat


def test_gradients_have_the_weights():
    losses = {name: torch.tensor(2., requires_grad=True) for name in ('cls', 'det', 'seg')}
    sum(StaticTeacherWeights(list(losses), dict(det=0.25, seg=3))(losses).values()).backward()
    assert {name: loss.grad.item() for name, loss in losses.items()} == dict(cls=1, det=0.25, seg=3)


@pytest.mark.parametrize('weights, error, message', [
    (dict(det=float('inf')), ValueError, r"weights=\{'det': inf\} must not be negative, and finite"),
    (dict(det=float('nan')), ValueError, 'must not be negative, and finite'),
    (dict(det='1'), TypeError, r"weights=\{'det': '1'\} must be a dict of weights by teacher, e\.g\. dict\(cls=0\.5\)"),
    (['det'], TypeError, 'must be a dict of weights by teacher'),
    ({3: 1, 'dets': 1}, ValueError, 'names 3, dets, which are no teachers: cls, det'),
])
def test_wrong_weights(weights, error, message):
    with pytest.raises(error, match=message):
        StaticTeacherWeights(['cls', 'det'], weights)
