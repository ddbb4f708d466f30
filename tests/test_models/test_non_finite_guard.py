import copy

import pytest
import torch
from mmengine.hooks import Hook
from mmengine.optim import OptimWrapper
from mmengine.registry import HOOKS, MODELS
from mmpretrain.models import LinearClsHead

import toy
from scaled_wrapper import ScaledWrapper, in_half
from tiny import batch, xlearner
from xlearner_mm.models.non_finite_guard import loss_scale

pytestmark = pytest.mark.compat


def build(limit=0, **kwargs):
    """Two sources on one backbone whose BN is trained."""
    torch.manual_seed(0)
    cfg = xlearner(squeeze=False, expanded=False, **kwargs)
    cfg.branches.pop('boxes')
    model = MODELS.build(cfg)
    model.init_weights()
    model.guard.limit = limit
    return model.train()


def wrap(model, **kwargs):
    return OptimWrapper(torch.optim.AdamW(model.parameters(), lr=0.01), **kwargs)


def data(broken=(), seed=0):
    found = {source: batch(source, seed=seed) for source in ('photos', 'maps')}
    for source in broken:
        found[source]['inputs'] = [torch.full((3, 64, 64), float('nan')) for _ in range(2)]
    return found


def state(model, optim):
    return copy.deepcopy([model.state_dict(), optim.optimizer.state_dict()['state']])


def assert_equal(before, after):
    for (name, old), new in zip(before[0].items(), after[0].values()):
        assert torch.equal(old, new), name
    assert set(before[1]) == set(after[1]) and before[1]
    for place, values in before[1].items():
        assert all(torch.equal(value, after[1][place][key]) for key, value in values.items())


def test_by_default_the_first_loss_that_is_not_finite_stops_the_run():
    model = build()
    optim = wrap(model)
    model.train_step(data(), optim)
    weights = {name: p.detach().clone() for name, p in model.named_parameters()}
    with pytest.raises(FloatingPointError) as error:
        model.train_step(data(['photos']), optim)
    text = str(error.value)
    assert text.startswith("The loss of source 'photos' is not finite: {'photos.loss': nan}. The step was not applied")
    assert 'and the checkpoints are as they were' in text and 'maps' not in text and 'another rank' not in text
    assert "Steps skipped so far: {'photos': 1}, allowed train_cfg.max_non_finite=0 a source." in text
    assert all(torch.equal(weights[name], p) for name, p in model.named_parameters())


def test_a_step_that_is_skipped_leaves_everything_as_it_was_and_the_next_but_limit_stops():
    model = build(limit=2)
    optim = wrap(model)
    model.train_step(data(), optim)
    before = state(model, optim)
    for count in (1, 2):
        logs = model.train_step(data(['photos'], seed=count), optim)
        assert logs['loss'].isnan() and model.guard.counts == dict(photos=count)
        assert_equal(before, state(model, optim))
        assert all(p.grad is None for p in model.parameters())
    with pytest.raises(FloatingPointError, match="so far: {'photos': 3}, allowed train_cfg.max_non_finite=2 a source"):
        model.train_step(data(['photos']), optim)


def test_a_good_step_after_a_skipped_one_is_as_if_that_had_not_been():
    states = []
    for broken in (True, False):
        model = build(limit=1)
        optim = wrap(model)
        model.train_step(data(), optim)
        if broken:
            model.train_step(data(['maps']), optim)
        model.train_step(data(seed=5), optim, random_key=(5, ))
        states.append(state(model, optim))
    assert_equal(*states)


def test_sources_are_counted_apart_and_together(caplog):
    model = build(limit=1)
    optim = wrap(model)
    model.train_step(data(['maps']), optim)
    model.train_step(data(['photos']), optim)
    assert model.guard.counts == dict(maps=1, photos=1)
    with pytest.raises(FloatingPointError, match="The loss of source 'photos', 'maps' is not finite: {'photos.loss': "
                                                 "nan, 'maps.decode.loss_ce': nan"):
        model.train_step(data(['photos', 'maps']), optim)


def test_a_window_with_a_spoiled_iteration_is_skipped_as_a_whole():
    model = build(limit=1)
    optim = wrap(model, accumulative_counts=3)
    for seed in range(3):
        model.train_step(data(seed=seed), optim)
    before = state(model, optim)
    for broken in ((), ('photos', ), ()):
        assert not model.guard.counts
        model.train_step(data(broken), optim)
    assert model.guard.counts == dict(photos=1)  # one step, whatever the number of iterations
    assert_equal(before, state(model, optim))
    for seed in range(3, 6):
        model.train_step(data(seed=seed), optim, random_key=(seed, ))
    assert model.guard.counts == dict(photos=1)
    other = build(limit=1)
    optim_of_other = wrap(other, accumulative_counts=3)
    for seed in range(6):
        other.train_step(data(seed=seed), optim_of_other, random_key=(seed, ) if seed > 2 else ())
    assert_equal(state(other, optim_of_other), state(model, optim))


def test_what_is_told_of_a_window_is_what_spoiled_it():
    model = build()
    optim = wrap(model, accumulative_counts=2)
    model.train_step(data(['photos']), optim)
    with pytest.raises(FloatingPointError, match="The loss of source 'photos' is not finite: {'photos.loss': nan}"):
        model.train_step(data(), optim)


@MODELS.register_module()
class RootHead(LinearClsHead):
    """Adds the length of what a bias of zeros says, which has no derivative there."""

    def loss(self, feats, data_samples, **kwargs):
        return dict(super().loss(feats, data_samples, **kwargs), loss_root=(self.fc.bias**2).sum().sqrt())


def with_root():
    branches = xlearner().branches
    branches.photos.model.head.type = 'mmengine.RootHead'
    return {source: branches[source] for source in ('photos', 'maps')}


def build_root(limit):
    torch.manual_seed(0)
    model = MODELS.build(dict(xlearner(squeeze=False, expanded=False), branches=with_root()))
    torch.nn.init.zeros_(model.branches['photos'].head.fc.bias)
    model.guard.limit = limit
    return model.train()


def test_a_gradient_that_is_not_finite_is_found_and_told_of_its_source():
    model = build_root(limit=1)
    optim = wrap(model)
    before = copy.deepcopy(model.state_dict())
    logs = model.train_step(data(), optim)
    assert all(value.isfinite() for value in logs.values()) and logs['photos.loss_root'] == 0
    assert model.guard.counts == dict(photos=1)
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    assert not optim.optimizer.state and all(p.grad is None for p in model.parameters())
    with pytest.raises(FloatingPointError, match="The gradient of source 'photos' is not finite: {'photos.loss': "
                                                 "[0-9.]*, 'photos.loss_root': 0.0}. The step was not applied"):
        model.train_step(data(), optim)


def test_a_gradient_of_the_backbone_alone_is_told_of_all_sources_of_the_step():
    model = build(limit=1)
    model.backbone.layer2[0].conv1.weight.register_hook(lambda gradient: gradient * float('inf'))
    optim = wrap(model)
    model.train_step(data(), optim)
    assert model.guard.counts == dict(photos=1, maps=1)
    only = {'maps': data()['maps']}
    with pytest.raises(FloatingPointError, match="The gradient of source 'maps' is not finite: {'maps.decode"):
        model.train_step(only, optim)


@pytest.mark.parametrize('value', [3e19, 1e38])
def test_a_large_gradient_is_finite(value):
    model = build()
    model.branches['photos'].head.fc.bias.register_hook(lambda gradient: torch.full_like(gradient, value))
    model.train_step(data(), wrap(model))
    assert not model.guard.counts


def test_counts_are_plain_and_the_sources_order_is_the_configs():
    model = build(limit=3)
    model.train_step({source: data(['maps'])[source] for source in ('maps', 'photos')}, wrap(model))
    assert type(model.guard.counts['maps']) is int and model.guard.sources == ['photos', 'maps']


# fp16: a scale that is too large is no error


def test_a_scale_that_is_too_large_lowers_itself_and_nothing_is_counted():
    model = build()
    in_half(model.branches['photos'].head.fc.bias)
    optim = ScaledWrapper(2.**20, optimizer=torch.optim.SGD(model.parameters(), lr=0.01))
    start = model.branches['photos'].head.fc.bias.detach().clone()
    model.train_step(data(), optim)
    assert optim.loss_scaler.scales == [2.**19] and not model.guard.counts
    assert torch.equal(model.branches['photos'].head.fc.bias, start)
    assert all(p.grad is None for p in model.parameters())
    for _ in range(8):
        model.train_step(data(), optim)
    assert 1 < optim.loss_scaler.scales[-1] == optim.loss_scaler.scales[-2] and not model.guard.counts
    assert not torch.equal(model.branches['photos'].head.fc.bias, start)


def test_what_no_scale_can_help_is_counted():
    model = build_root(limit=1)
    optim = ScaledWrapper(4., optimizer=torch.optim.SGD(model.parameters(), lr=0.01))
    for _ in range(2):
        model.train_step(data(), optim)
    assert optim.loss_scaler.scales == [2, 1] and not model.guard.counts
    model.train_step(data(), optim)
    assert optim.loss_scaler.scales == [2, 1] and model.guard.counts == dict(photos=1)
    with pytest.raises(FloatingPointError, match="The gradient of source 'photos' is not finite"):
        model.train_step(data(), optim)


def test_a_fixed_scale_does_not_lower_itself():
    model = build(limit=1)
    in_half(model.branches['photos'].head.fc.bias)
    optim = ScaledWrapper(2.**20, fixed=True, optimizer=torch.optim.SGD(model.parameters(), lr=0.01))
    model.train_step(data(), optim)
    assert model.guard.counts == dict(photos=1) and optim.loss_scaler.scales == []


def test_a_loss_that_is_not_finite_is_not_the_scales_fault():
    model = build(limit=1)
    optim = ScaledWrapper(2.**16, optimizer=torch.optim.SGD(model.parameters(), lr=0.01))
    model.train_step(data(['maps']), optim)
    assert model.guard.counts == dict(maps=1) and optim.loss_scaler.scales == []


def test_scale_of_a_wrapper():
    model = torch.nn.Linear(1, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=1.)
    assert loss_scale(OptimWrapper(optimizer)) is None
    assert loss_scale(ScaledWrapper(8., optimizer=optimizer)) == 8
    assert loss_scale(ScaledWrapper(8., fixed=True, optimizer=optimizer)) is None


@HOOKS.register_module()
class SpoilHook(Hook):
    """Gives the last source of a step images of NaN; those after it would read the statistics that it spoils."""

    priority = 'HIGHEST'

    def __init__(self, at):
        self.at = at

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        if batch_idx in self.at:
            data_batch['photos']['inputs'] = [torch.full((3, 64, 64), float('nan')) for _ in range(2)]


def test_counts_go_on_after_a_resume(toy_data, tmp_path):

    def train(name, at, max_iters, limit, **changes):
        cfg = toy.config(toy_data, tmp_path / name, expansion_iters=3, max_iters=max_iters, save_every=1, **changes)
        cfg.train_cfg.max_non_finite = limit
        cfg.custom_hooks.append(dict(type='SpoilHook', at=at))
        return toy.train(cfg)

    runner = train('whole', [1], 4, 1)  # the squeeze counts on, too
    assert runner.iter == 4 and runner.train_loop.model.guard.counts == dict(photos=1)
    log = next((tmp_path / 'whole').rglob('*.log')).read_text()
    assert "The loss of source 'photos' is not finite: {'photos.loss': nan" in log
    assert "skipped so far: {'photos': 1} (train_cfg.max_non_finite=1 a source)." in log
    at_two = dict(resume=True, load_from=str(tmp_path / 'whole/iter_2.pth'))
    with pytest.raises(FloatingPointError, match="so far: {'photos': 2}, allowed train_cfg.max_non_finite=1"):
        train('again', [3], 4, 1, **at_two)
    assert train('more', [3], 4, 2, **at_two).train_loop.model.guard.counts == dict(photos=2)
    resumed = train('same', [], 4, 1, **at_two)
    assert resumed.message_hub.runtime_info['multi_source_state']['non_finite'] == dict(photos=1)
    toy.assert_same_checkpoint(tmp_path / 'whole/iter_4.pth', tmp_path / 'same/iter_4.pth')


@pytest.mark.parametrize('limit', [-1, 0.5, '3'])
def test_a_limit_that_is_none(limit, toy_data, tmp_path):
    cfg = toy.config(toy_data, tmp_path)
    cfg.train_cfg.max_non_finite = limit
    with pytest.raises(ValueError, match=f'train_cfg.max_non_finite={limit!r} must be a non-negative integer'):
        toy.train(cfg)
