import pytest
import torch
from mmengine.optim import OptimWrapper
from mmengine.registry import MODELS
from torch import nn

from ranks import build
from scaled_wrapper import ScaledWrapper
from tiny import batches, xlearner
from xlearner_mm.models import GradientReducer, SourceGradients
from xlearner_mm.models.weighting import GradientWeighting

pytestmark = pytest.mark.compat


def filled():
    """Parameters a (of one and two), b (of all), c (of two), d (of none); two leaves its part in two iterations."""
    parameters = {name: nn.Parameter(torch.zeros(shape)) for name, shape in dict(a=2, b=(1, 2), c=1, d=3).items()}
    gradients = SourceGradients(parameters)

    def leave(source, **values):
        for name, value in values.items():
            parameters[name].grad = torch.full_like(parameters[name], value)
        gradients.take(source)

    leave('one', a=1., b=2.)
    leave('two', b=10., c=20.)
    leave('three', b=100.)
    leave('two', a=5., b=30.)
    return parameters, gradients


def test_what_a_source_left_is_taken_and_adds_up():
    parameters, gradients = filled()
    assert all(p.grad is None for p in parameters.values())
    assert gradients.names == ['a', 'b', 'c', 'd'] and gradients.sources == ['one', 'two', 'three']
    assert gradients.shared() == [0, 1]


def test_the_matrix_has_a_row_a_source_and_zeros_where_it_does_not_reach():
    _, gradients = filled()
    assert gradients.matrix([0, 1]).tolist() == [[1, 1, 2, 2], [5, 5, 40, 40], [0, 0, 100, 100]]
    assert gradients.matrix([2, 3]).tolist() == [[0] * 4, [20, 0, 0, 0], [0] * 4]


def test_without_an_aggregate_it_is_the_sum_and_the_rows_stay():
    parameters, gradients = filled()
    before = gradients.matrix(range(4))
    gradients.combine()
    assert parameters['a'].grad.tolist() == [6, 6] and parameters['b'].grad.tolist() == [[142, 142]]
    assert parameters['c'].grad.tolist() == [20] and parameters['d'].grad is None
    assert torch.equal(gradients.matrix(range(4)), before)


def test_an_aggregate_sees_unscaled_rows_of_what_is_shared_and_of_nothing_else():
    parameters, gradients = filled()
    seen = []

    def aggregate(rows, sources):
        seen.append((rows.tolist(), list(sources)))
        return torch.arange(4.)

    gradients.combine(aggregate, scale=2.)
    assert seen == [([[0.5, 0.5, 1, 1], [2.5, 2.5, 20, 20], [0, 0, 50, 50]], ['one', 'two', 'three'])]
    assert parameters['a'].grad.tolist() == [0, 2] and parameters['b'].grad.tolist() == [[4, 6]]
    assert parameters['c'].grad.tolist() == [20] and parameters['d'].grad is None


def test_rows_that_are_not_finite_are_no_input_of_an_aggregate():
    parameters, gradients = filled()
    parameters['a'].grad = torch.tensor([float('inf'), 0.])
    gradients.take('three')
    gradients.combine(lambda *_: pytest.fail('it would see what is not finite'))
    assert parameters['a'].grad.tolist() == [float('inf'), 6] and parameters['b'].grad.tolist() == [[142, 142]]


def test_nothing_shared_needs_no_aggregate():
    parameter = nn.Parameter(torch.zeros(2))
    gradients = SourceGradients(dict(a=parameter))
    parameter.grad = torch.ones(2)
    gradients.take('one')
    gradients.combine(lambda *_: pytest.fail('there is one row only'))
    assert parameter.grad.tolist() == [1, 1]


def test_every_row_is_averaged_with_the_other_ranks():
    parameters, gradients = filled()

    class Reducer(GradientReducer):
        def average(self, rows, like):
            assert [t.shape for t in like] == [p.shape for p in parameters.values()]
            return [None if row is None else row + 1 for row in rows[:-1]] + [torch.ones(3)]

    gradients.average(Reducer())
    assert gradients.matrix([0, 1])[:, 1:3].tolist() == [[2, 3], [6, 41], [0, 101]]
    assert gradients.shared() == [0, 1, 3]


@MODELS.register_module()
class Recorded(GradientWeighting):
    """A sum whose input can be looked at."""

    def aggregate(self, gradients, sources):
        self.seen = gradients.clone(), list(sources)
        return gradients.sum(dim=0)


def branches_without_dropout():
    branches = xlearner().branches
    branches.maps.model.decode_head.dropout_ratio = 0
    return branches


def weights(model):
    return torch.cat([p.detach().flatten() for p in model.parameters()])


@pytest.mark.parametrize('accumulation', [1, 2])
def test_gradients_kept_apart_give_the_same_weights(accumulation):
    found = []
    for keep in (False, True):
        model = build(branches=branches_without_dropout(), expanded=False)
        model.keep_gradients = keep
        optim = OptimWrapper(torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9), clip_grad=dict(max_norm=0.1),
                             accumulative_counts=accumulation)
        for seed in range(2 * accumulation):
            model.train_step(batches(*(('photos', 'maps') if seed else ('boxes', )), seed=seed), optim)
        assert (model.source_gradients is not None) == keep
        found.append(weights(model))
    torch.testing.assert_close(found[1], found[0], rtol=1e-6, atol=1e-7)
    assert model.source_gradients.sources == ['photos', 'maps']
    places = model.source_gradients.shared()
    assert places and all(model.source_gradients.names[i].startswith('backbone.') for i in places)
    assert model.source_gradients.matrix(places).abs().sum(dim=1).gt(0).all()


@pytest.mark.parametrize('scale', [1, 1024])
def test_a_weighting_by_gradients_sees_them_unscaled(scale):
    """Of two iterations in one step, one of which has one source only."""
    model = build(branches=branches_without_dropout(), expanded=False, weighting=dict(type='mmengine.Recorded'))
    optim = ScaledWrapper(scale, optimizer=torch.optim.SGD(model.parameters(), lr=0.1), accumulative_counts=2)
    model.train_step(batches('photos', 'maps'), optim)
    assert not hasattr(model.weighting, 'seen')
    model.train_step(batches('maps', seed=1), optim)
    rows, sources = model.weighting.seen
    assert sources == ['photos', 'maps']
    reference = build(branches=branches_without_dropout(), expanded=False)
    for row, steps in zip(rows, ([('photos', 0)], [('maps', 0), ('maps', 1)])):
        reference.zero_grad()
        for source, seed in steps:
            processed = reference.data_preprocessor(batches(source, seed=seed), True)
            (reference.parse_losses(reference(**processed, mode='loss'))[0] / 2).backward()
        expected = torch.cat([p.grad.flatten() for p in reference.backbone.parameters() if p.grad is not None])
        torch.testing.assert_close(row, expected, rtol=1e-4, atol=1e-6)
    plain = build(branches=branches_without_dropout(), expanded=False)
    stock = OptimWrapper(torch.optim.SGD(plain.parameters(), lr=0.1), accumulative_counts=2)
    for sources, seed in ((('photos', 'maps'), 0), (('maps', ), 1)):
        plain.train_step(batches(*sources, seed=seed), stock)
    torch.testing.assert_close(weights(model), weights(plain), rtol=1e-5, atol=1e-6)


def test_each_step_begins_anew():
    model = build(expanded=False)
    model.keep_gradients = True
    optim = OptimWrapper(torch.optim.SGD(model.parameters(), lr=0.1))
    for source in ('photos', 'maps'):
        model.train_step(batches(source), optim)
        assert model.source_gradients.sources == [source]
    model.keep_gradients = False
    model.train_step(batches('photos'), optim)
    assert model.source_gradients is None
