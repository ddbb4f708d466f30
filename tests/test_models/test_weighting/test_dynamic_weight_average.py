import math

import pytest
import torch

from xlearner_mm.models.weighting import DynamicWeightAverage
from xlearner_mm.registry import MODELS

pytestmark = pytest.mark.compat

SOURCES = ['photos', 'boxes', 'maps']
# Three windows of two steps: boxes come late, maps are absent from a window.
STEPS = [dict(photos=4., maps=1.), dict(photos=2.), dict(photos=1., boxes=8.), dict(photos=1.),
         dict(photos=3., boxes=2., maps=1.), dict(boxes=2., maps=3.)]
RATIOS = [[1, 1, 1], [1 / 3, 1, 1], [3 / 1, 2 / 8, 2 / 1]]  # after each window


def build(interval=2, **kwargs):
    return MODELS.build(
        dict(type='xlearner_mm.DynamicWeightAverage', sources=SOURCES, interval=interval, **kwargs))


def note(weighting, step):
    weighting.after_step({source: torch.tensor(total) for source, total in step.items()})


def weights_of(weighting):
    weighted = [weighting.weigh(source, dict(loss=torch.tensor(1.))) for source in SOURCES]
    assert [w['source_weight'].item() for w in weighted] == pytest.approx([w['loss'].item() for w in weighted])
    return [w['loss'].item() for w in weighted]


def expected(ratios, temperature):
    powers = [math.exp(ratio / temperature) for ratio in ratios]
    return pytest.approx([len(ratios) * power / sum(powers) for power in powers], abs=1e-5)


@pytest.mark.parametrize('temperature', [2., 0.5])
def test_windows_with_absent_sources(temperature):
    weighting = build(temperature=temperature)
    assert weights_of(weighting) == [1, 1, 1]
    for window, ratios in enumerate(RATIOS):
        before = weights_of(weighting)
        note(weighting, STEPS[2 * window])
        assert weights_of(weighting) == before  # within a window
        note(weighting, STEPS[2 * window + 1])
        assert weights_of(weighting) == expected(ratios, temperature)
    for _ in range(2):
        note(weighting, dict(photos=3., boxes=2.))
    assert weights_of(weighting) == expected([1, 1, 2], temperature)  # without maps, theirs stays


def test_gradients_have_the_weights():
    weighting = build(interval=1)
    for step in (dict(photos=2., boxes=2.), dict(photos=1., boxes=2.)):
        note(weighting, step)
    loss, part = torch.tensor(3., requires_grad=True), torch.tensor(5., requires_grad=True)
    weighted = weighting.weigh('photos', dict(loss_a=loss, loss_b=[part], acc=part))
    assert list(weighted) == ['loss_a', 'loss_b', 'acc', 'source_weight'] and weighted['acc'] is part
    (weighted['loss_a'] + weighted['loss_b'][0]).backward()
    weight = 3 * math.exp(0.25) / (math.exp(0.25) + 2 * math.exp(0.5))
    assert loss.grad.item() == pytest.approx(weight, abs=1e-6) and part.grad.item() == pytest.approx(weight, abs=1e-6)
    assert weighted['loss_a'].dtype is torch.float32


def test_a_phase_begins_anew():
    weighting, fresh = build(), build()
    for step in STEPS[:5]:  # within a window
        note(weighting, step)
    assert weights_of(weighting) != [1, 1, 1]
    weighting.start_phase()
    for step in STEPS:
        assert weights_of(weighting) == weights_of(fresh)
        note(weighting, step)
        note(fresh, step)
    assert weights_of(weighting) == weights_of(fresh) != [1, 1, 1]


@pytest.mark.parametrize('saved_after', range(len(STEPS)))
def test_resume_is_exact(saved_after):
    straight, resumed = build(), build()
    for number, step in enumerate(STEPS):
        if number == saved_after:
            resumed.load_state_dict(straight.state_dict())
        note(straight, step)
        if number >= saved_after:
            note(resumed, step)
    assert weights_of(resumed) == weights_of(straight) != [1, 1, 1]


def test_losses_that_are_not_finite_do_not_count():
    weighting, without = build(), build()
    for step in STEPS:
        note(weighting, dict(dict(photos=math.nan, boxes=math.inf), **step))
        note(without, step)
    assert weights_of(weighting) == weights_of(without)


def of_rank(rank):
    weighting = build(interval=1)
    for step in (dict(photos=2. + 4 * rank, maps=1.), dict(photos=7. - 6 * rank, maps=2.)):
        note(weighting, step)
    return weighting.state_dict()


def test_ranks_are_averaged(in_ranks):
    first, second = in_ranks(of_rank)
    assert all(torch.equal(first[key], second[key]) for key in first)
    assert first['ratios'].tolist() == [4 / 4, 1, 2]


@pytest.mark.parametrize('settings, error, message', [
    (dict(interval=2.5), TypeError, 'weighting.interval=2.5 must be an integer, .* weighting.temperature=2.0 a number'),
    (dict(temperature='2'), TypeError, "weighting.temperature='2' a number"),
    (dict(interval=0), ValueError, 'weighting.interval=0 and weighting.temperature=2.0 must be positive, and finite'),
    (dict(temperature=0), ValueError, 'weighting.temperature=0 must be positive'),
    (dict(temperature=math.nan), ValueError, 'weighting.temperature=nan must be positive'),
    (dict(temperature=math.inf), ValueError, 'weighting.temperature=inf must be positive'),
])
def test_wrong_settings(settings, error, message):
    with pytest.raises(error, match=message):
        DynamicWeightAverage(SOURCES, **settings)
