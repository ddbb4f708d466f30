import pytest
import torch

from xlearner_mm.models.squeeze import TeacherDropping

pytestmark = pytest.mark.compat


def test_a_dropped_teacher_keeps_its_key_and_its_graph():
    losses = {name: torch.tensor(value, requires_grad=True) for name, value in dict(cls=1., det=2., seg=3.).items()}
    weighted = TeacherDropping(list(losses), 1.)(losses)
    assert {name: value.item() for name, value in weighted.items()} == dict(cls=0, det=0, seg=3)
    sum(weighted.values()).backward()
    assert {name: loss.grad.item() for name, loss in losses.items()} == dict(cls=0, det=0, seg=1)


def test_teachers_are_dropped_independently_of_each_other():
    torch.manual_seed(0)
    weights = TeacherDropping(['cls', 'det', 'seg'], 0.5)
    losses = dict(cls=torch.tensor(1.), det=torch.tensor(3.), seg=torch.tensor(2.))
    both = sum(sum(weights(losses).values()).item() == 3 for _ in range(4000))
    assert both == pytest.approx(1000, abs=100)


@pytest.mark.parametrize('probability, error', [('0.5', TypeError), (None, TypeError), (-0.1, ValueError),
                                                (float('nan'), ValueError)])
def test_wrong_probability(probability, error):
    with pytest.raises(error, match=rf'squeeze\.weights\.probability={probability!r} must be '):
        TeacherDropping(['cls'], probability)
