import pytest
import torch
from mmengine.optim import OptimWrapper

from ranks import build
from tiny import batches, xlearner
from xlearner_mm.models import GradientReducer
from xlearner_mm.models.train_step import backward_source

pytestmark = pytest.mark.compat


class Catch(OptimWrapper):
    """Keeps the gradients that each step of the optimizer sees, after they were clipped."""

    def __init__(self, model, lr=0.1, **kwargs):
        super().__init__(torch.optim.SGD(model.parameters(), lr=lr), **kwargs)
        self.steps = []
        step = self.optimizer.step
        self.optimizer.step = lambda *args: (self.steps.append(gradients(model)), step(*args))


def gradients(model):
    return {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}


def flat(found):
    return torch.cat([g.flatten() for g in found.values()])


def build_shared(**micro):
    """One backbone, its BN frozen, without dropout."""
    branches = xlearner().branches
    branches.maps.model.decode_head.dropout_ratio = 0
    for source, number in micro.items():
        branches[source].micro_batches = number
    return build(branches=branches, expanded=False)


def reference(*steps, factor=1.0):
    """The gradients of batches, each of some sources and a seed, by stock means."""
    model = build_shared()
    for sources, seed in steps:
        losses = model(**model.data_preprocessor(batches(*sources, seed=seed), True), mode='loss')
        (factor * model.parse_losses(losses)[0]).backward()
    return gradients(model)


def assert_close(found, expected):
    assert set(found) == set(expected)
    for name, gradient in expected.items():
        torch.testing.assert_close(found[name], gradient, rtol=1e-4, atol=1e-6, msg=name)


def test_accumulation_over_iterations_that_lack_sources():
    model = build_shared()
    optim = Catch(model, accumulative_counts=3)
    steps = [(('photos', ), 0), (('boxes', 'maps'), 1), (('photos', 'maps'), 2)]
    start = {name: p.detach().clone() for name, p in model.named_parameters()}
    for number, (sources, seed) in enumerate(steps):
        assert len(optim.steps) == 0 and all(torch.equal(start[n], p) for n, p in model.named_parameters()), number
        model.train_step(batches(*sources, seed=seed), optim)
    (found, ) = optim.steps
    assert_close(found, reference(*steps, factor=1 / 3))
    assert all(p.grad is None for p in model.parameters())
    for name, parameter in model.named_parameters():
        assert torch.equal(parameter, start[name]) == (name not in found or not found[name].any()), name


def test_the_last_window_of_a_run_may_be_short():
    model = build_shared()
    optim = Catch(model, lr=0., accumulative_counts=2)
    optim.initialize_count_status(model, 0, 3)
    for seed in range(3):
        model.train_step(batches('photos', 'maps', seed=seed), optim)
    assert len(optim.steps) == 2
    assert_close(optim.steps[0], reference((('photos', 'maps'), 0), (('photos', 'maps'), 1), factor=0.5))
    assert_close(optim.steps[1], reference((('photos', 'maps'), 2)))


@pytest.mark.parametrize('keep', [False, True])
def test_clipping_looks_at_the_whole_gradient(keep):
    model = build_shared(photos=2)
    model.keep_gradients = keep
    optim = Catch(model, clip_grad=dict(max_norm=0.01))
    model.train_step(batches(), optim)
    whole = reference((('photos', 'boxes', 'maps'), 0))
    (found, ) = optim.steps
    assert flat(whole).norm() > 0.1
    assert_close({name: g / 0.01 for name, g in found.items()}, {n: g / flat(whole).norm() for n, g in whole.items()})


class Watched(GradientReducer):
    """Writes down what it is asked."""

    def __init__(self):
        self.asked = []

    def begin(self, phase, passes, updates, overlap=True):
        self.asked.append(('begin', phase, passes, updates, overlap))

    def enter(self, source):
        self.asked.append(source)

    def finish(self, flags):
        self.asked.append(('finish', flags.tolist()))
        return super().finish(flags)

    def average(self, gradients, like):
        self.asked.append('average')
        return super().average(gradients, like)


@pytest.mark.parametrize('keep', [False, True])
def test_the_reducer_is_asked_once_a_step(keep):
    model, reducer = build_shared(maps=2), Watched()
    model.keep_gradients = keep
    optim = Catch(model, accumulative_counts=2)
    model.branches['photos'].register_forward_hook(lambda *_: reducer.asked.append('forward'))
    model.train_step(batches('photos', 'maps'), optim, reducer=reducer)
    begin = 'begin', 0, dict(photos=1, maps=2)
    assert reducer.asked == [(*begin, False, not keep), 'photos', 'forward', 'maps']
    reducer.asked.clear()
    model.train_step(batches('photos', 'maps'), optim, reducer=reducer)
    assert reducer.asked == [(*begin, True, not keep), 'photos', 'forward', 'maps', ('finish', [0, 0, 0]),
                             *['average'] * 2 * keep]


def test_flags_of_other_ranks_count():
    model = build_shared()

    class Other(GradientReducer):
        def finish(self, flags):
            return [0, 1, 0]

    with pytest.raises(FloatingPointError, match="The loss of source 'boxes' is not finite on another rank; here: "
                                                 "{'boxes.loss_rpn_cls': [0-9.]*, .*}. The step was not applied"):
        model.train_step(batches('photos', 'boxes'), Catch(model), reducer=Other())


def test_the_total_is_that_of_all_sources_whatever_their_parts():
    whole, parts = (build_shared(**micro) for micro in ({}, dict(photos=2, maps=2)))
    logs = [m.train_step(batches('photos', 'maps'), Catch(m)) for m in (whole, parts)]
    assert set(logs[0]) == {'loss', 'photos.loss', 'maps.decode.loss_ce', 'maps.decode.acc_seg'} == set(logs[1])
    for key, value in logs[0].items():
        torch.testing.assert_close(logs[1][key], value, rtol=1e-5, atol=1e-6, msg=key)
    assert torch.equal(logs[0]['loss'], logs[0]['photos.loss'] + logs[0]['maps.decode.loss_ce'])


def test_only_the_last_backward_of_an_iteration_is_counted():
    parameter = torch.nn.Parameter(torch.ones(()))
    optim = OptimWrapper(torch.optim.SGD([parameter], lr=1.), accumulative_counts=2)
    for counts in (False, False, True):
        backward_source(optim, 3 * parameter, counts)
    assert optim.inner_count == 1 and parameter.grad == 4.5
