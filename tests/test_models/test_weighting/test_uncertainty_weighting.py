import math

import pytest
import torch

from xlearner_mm.models.squeeze import UncertaintyTeacherWeights
from xlearner_mm.models.weighting import UncertaintyWeighting
from xlearner_mm.registry import MODELS

pytestmark = pytest.mark.compat

SOURCES = ['boxes', 'maps']


def build(**kwargs):
    return MODELS.build(dict(type='xlearner_mm.UncertaintyWeighting', sources=SOURCES, **kwargs))


def losses_of(*values):
    first, *others = (torch.tensor(value, requires_grad=True) for value in values)
    return dict(loss_cls=first, loss_bbox=others, acc=torch.tensor(0.75))


def total(weighted):
    listed = [value for key, value in weighted.items() if 'loss' in key]
    return sum(sum(value) if isinstance(value, list) else value for value in listed)


def test_values_and_gradients():
    weighting, losses, s = build(init=0.5), losses_of(2., 3., 5.), 0.5
    weighted = weighting.weigh('boxes', losses)
    assert list(weighted) == ['loss_cls', 'loss_bbox', 'acc', 'loss_log_variance', 'source_weight']
    weight = math.exp(-s) / 2
    assert weighted['loss_cls'].item() == pytest.approx(2 * weight, abs=1e-6)
    assert [value.item() for value in weighted['loss_bbox']] == pytest.approx([3 * weight, 5 * weight], abs=1e-6)
    assert weighted['loss_log_variance'].item() == s / 2
    assert weighted['acc'] is losses['acc'] and weighted['source_weight'].item() == pytest.approx(weight)
    assert not weighted['source_weight'].requires_grad
    total(weighted).backward()
    for loss in (losses['loss_cls'], *losses['loss_bbox']):
        assert loss.grad.item() == pytest.approx(weight)
    assert weighting.log_variances['boxes'].grad.item() == pytest.approx(-weight * 10 + 0.5, abs=1e-6)
    assert weighting.log_variances['maps'].grad is None  # an absent source learns nothing


def test_it_is_learned_from_the_size_of_the_loss():
    weighting = build()
    optimizer = torch.optim.SGD(weighting.parameters(), lr=0.1)
    for _ in range(500):
        optimizer.zero_grad()
        (total(weighting.weigh('boxes', losses_of(3., 1.))) + total(weighting.weigh('maps', losses_of(0.5)))).backward()
        optimizer.step()
    # The minimum over s of exp(-s) L / 2 + s / 2 is at s = log L.
    assert weighting.log_variances['boxes'].item() == pytest.approx(math.log(4), abs=1e-3)
    assert weighting.log_variances['maps'].item() == pytest.approx(math.log(0.5), abs=1e-3)


def test_it_is_as_between_teachers():
    weighting, teachers = build(init=0.3), UncertaintyTeacherWeights(SOURCES)
    teachers.load_state_dict(weighting.state_dict())
    assert total(weighting.weigh('maps', losses_of(1.7))) == teachers(dict(maps=torch.tensor(1.7)))['maps']


def test_state_and_start():
    weighting, other = build(init=-math.log(2)), build()
    assert weighting.weigh('maps', losses_of(3.))['loss_cls'].item() == pytest.approx(3)
    assert {key: value.item() for key, value in other.state_dict().items()} == {
        'log_variances.boxes': 0, 'log_variances.maps': 0}
    other.load_state_dict(weighting.state_dict())
    assert other.log_variances['boxes'] == weighting.log_variances['boxes'] != 0


@pytest.mark.parametrize('init, error, message', [
    ('0', TypeError, "weighting.init='0' must be a number"),
    (dict(maps=1), TypeError, r"weighting.init=\{'maps': 1\} must be a number"),
    (math.nan, ValueError, 'weighting.init=nan must be finite'),
])
def test_wrong_start(init, error, message):
    with pytest.raises(error, match=message):
        UncertaintyWeighting(SOURCES, init)
