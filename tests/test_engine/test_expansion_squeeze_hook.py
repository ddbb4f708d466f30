import pytest
import torch
from mmengine.hooks import EMAHook, Hook
from mmengine.registry import HOOKS

import toy
from xlearner_mm.engine import ExpansionSqueezeHook
from xlearner_mm.models import Phase


@HOOKS.register_module()
class PhaseHook(Hook):
    """Keeps phase, learning rate and type of the optimizer of every iteration."""

    def __init__(self):
        self.seen = []

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        optimizer = runner.optim_wrapper.optimizer
        self.seen.append((int(runner.model.phase), type(optimizer).__name__, optimizer.param_groups[0]['lr']))


def run(cfg):
    cfg.custom_hooks.append(dict(type='PhaseHook'))
    runner = toy.train(cfg)
    return runner, next(h for h in runner.hooks if isinstance(h, PhaseHook)).seen


def test_switches_phase_optimizer_and_schedule(toy_data, tmp_path):
    runner, seen = run(toy.config(toy_data, tmp_path, 2, 5))
    assert [s[:2] for s in seen] == [(0, 'SGD')] * 2 + [(1, 'AdamW')] * 3
    assert [round(s[2], 6) for s in seen[2:]] == [0.0001, 0.001, 0.001]
    assert runner.model.phase is Phase.SQUEEZE
    saved = torch.load(tmp_path / 'expansion.pth', weights_only=False)
    assert saved['meta']['iter'] == 2 and saved['state_dict']['squeeze.phase'] == 0
    last = torch.load(tmp_path / 'iter_5.pth', weights_only=False)['state_dict']
    for key, value in saved['state_dict'].items():
        if key.startswith('backbone.'):
            assert torch.equal(value, last[key]), key
    assert not torch.equal(saved['state_dict']['squeeze.student.conv1.weight'], last['squeeze.student.conv1.weight'])


def test_what_is_missing_is_as_in_the_expansion(toy_data, tmp_path):
    cfg = toy.config(toy_data, tmp_path, 2, 4)
    cfg.custom_hooks[0].squeeze = dict()
    assert [s[1] for s in run(cfg)[1]] == ['SGD'] * 4


def test_the_squeeze_may_read_other_batches(toy_data, tmp_path):
    cfg = toy.config(toy_data, tmp_path, 2, 4)
    loader = cfg.train_dataloader.to_dict()
    loader['batch_size'] = dict(photos=3, boxes=1, maps=1)
    cfg.custom_hooks[0].squeeze.train_dataloader = loader
    runner, _ = run(cfg)
    assert runner.train_loop.state['positions'] == dict(photos=4 + 6, boxes=4 + 2, maps=4 + 2)


def test_averaged_weights_become_the_teacher(toy_data, tmp_path):
    cfg = toy.config(toy_data, tmp_path, 2, 3)
    cfg.custom_hooks.append(dict(type='EMAHook', momentum=0.5))
    runner, _ = run(cfg)
    saved = torch.load(tmp_path / 'expansion.pth', weights_only=False)
    key = 'backbone.sub_backbones.det.conv1.weight'
    assert not torch.equal(saved['state_dict'][key], saved['ema_state_dict'][f'module.{key}'])  # averaged, last
    assert torch.equal(runner.model.state_dict()[key], saved['state_dict'][key])
    ema = next(h for h in runner.hooks if isinstance(h, EMAHook)).ema_model
    assert torch.equal(ema.module.state_dict()[key], saved['state_dict'][key])
    assert ema.module.squeeze.phase == 1


def test_a_loaded_expansion_goes_straight_into_the_squeeze(toy_data, tmp_path):
    toy.train(toy.config(toy_data, tmp_path / 'one', 2, 4))
    cfg = toy.config(toy_data, tmp_path / 'two', 0, 2, load_from=str(tmp_path / 'one/expansion.pth'))
    runner, seen = run(cfg)
    assert [s[0] for s in seen] == [1, 1]
    saved = torch.load(tmp_path / 'one/expansion.pth', weights_only=False)['state_dict']
    assert all(torch.equal(v, saved[k]) for k, v in runner.model.state_dict().items() if k.startswith('backbone.'))


@pytest.mark.parametrize('kwargs, error, message', [
    (dict(expansion_iters=-1), ValueError, 'expansion_iters=-1 must be an integer from 0 on'),
    (dict(expansion_iters=1, squeeze=dict(optimizer=1)), TypeError, r"unknown keys \['optimizer'\]; it takes optim_w"),
])
def test_wrong_arguments(kwargs, error, message):
    with pytest.raises(error, match=message):
        ExpansionSqueezeHook(**kwargs)


@pytest.mark.parametrize('changes, message', [
    ({'model.squeeze': None}, 'needs a model with a squeeze phase'),
    ({'custom_hooks.0.expansion_iters': 4}, 'expansion_iters=4 leaves no iterations for the squeeze: .*max_iters=4'),
    ({'optim_wrapper.accumulative_counts': 2, 'custom_hooks.0.expansion_iters': 3}, 'no multiple of accumulative_cou'),
])
def test_what_cannot_work_is_refused(changes, message, toy_data, tmp_path):
    with pytest.raises(ValueError, match=message):
        toy.train(toy.config(toy_data, tmp_path, 2, 4, **changes))
