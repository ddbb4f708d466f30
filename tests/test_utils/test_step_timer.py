import pytest
import torch
from mmengine.optim import OptimWrapper

from ranks import build
from tiny import batches
from xlearner_mm.utils import StepTimer, step_timer, timed

pytestmark = pytest.mark.compat


@pytest.fixture
def clock(monkeypatch):
    """A clock that goes on by one second each time someone looks at it."""
    looks = []

    def now():
        looks.append(None)
        return float(len(looks))

    monkeypatch.setattr(step_timer, 'device_time', now)
    return looks


def test_parts_add_up_by_name_and_source(clock):
    with StepTimer() as timer:
        for source in ('photos', 'maps', 'photos'):
            with timed('forward', source):
                pass
        with timed('reduce'), timed('inner'):
            pass
    assert timer.seconds == {('forward', 'photos'): 2, ('forward', 'maps'): 1, ('reduce', ''): 3, ('inner', ''): 1}


def test_nobody_looks_at_the_clock_without_a_timer(clock):
    with timed('forward'):
        pass
    with StepTimer() as timer:
        pass
    with timed('forward'):
        pass
    assert not clock and not timer.seconds


def test_a_part_that_fails_is_measured_and_the_timer_ends(clock):
    with pytest.raises(KeyError), StepTimer() as timer, timed('forward'):
        raise KeyError
    assert timer.seconds == {('forward', ''): 1}
    with StepTimer():
        pass


def test_a_timer_within_another_is_refused_and_the_outer_one_goes_on(clock):
    with StepTimer() as outer:
        with pytest.raises(RuntimeError, match='A StepTimer is running already; leave its with-block first'):
            StepTimer().__enter__()
        with timed('forward'):
            pass
    assert outer.seconds == {('forward', ''): 1}


def test_a_train_step_is_measured_by_part_and_source():
    model = build(expanded=False)
    optim = OptimWrapper(torch.optim.SGD(model.parameters(), lr=0.01), accumulative_counts=2)
    with StepTimer() as timer:
        model.train_step(batches('photos', 'maps'), optim)
    by_source = {(part, source) for part in ('forward', 'backward') for source in ('photos', 'maps')}
    assert set(timer.seconds) == by_source and all(seconds > 0 for seconds in timer.seconds.values())
    with StepTimer() as timer:
        model.train_step(batches('photos'), optim)
    assert set(timer.seconds) == {('forward', 'photos'), ('backward', 'photos'), ('reduce', ''), ('optimizer', '')}
