import math
from pathlib import Path

import pytest
import torch
from mmengine.hooks import EMAHook, Hook
from mmengine.registry import HOOKS

import toy
from xlearner_mm.engine import ExpansionSqueezeHook
from xlearner_mm.models import Phase

pytestmark = pytest.mark.compat


@HOOKS.register_module()
class PhaseHook(Hook):
    """Keeps phase, type and learning rate of the optimizer, and what a resume would take, of every iteration."""

    def __init__(self):
        self.seen = []

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        optimizer = runner.optim_wrapper.optimizer
        last = Path(runner.work_dir) / 'last_checkpoint'
        self.seen.append((int(runner.model.phase), type(optimizer).__name__, optimizer.param_groups[0]['lr'],
                          last.read_text() if last.exists() else None))


@HOOKS.register_module()
class StudentHook(Hook):
    """Keeps what the student begins with."""

    begun = None

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        if self.begun is None and runner.model.phase is Phase.SQUEEZE:
            self.begun = {key: value.clone() for key, value in runner.model.squeeze.student.state_dict().items()}


def run(cfg):
    cfg.custom_hooks.append(dict(type='PhaseHook'))
    runner = toy.train(cfg)
    return runner, next(h for h in runner.hooks if isinstance(h, PhaseHook)).seen


@pytest.fixture(scope='module')
def finished(toy_data, tmp_path_factory):
    """Work folder of a run with two iterations of each phase."""
    work_dir = tmp_path_factory.mktemp('finished')
    toy.train(toy.config(toy_data, work_dir, 2, 4))
    return work_dir


def test_switches_phase_optimizer_and_schedule(toy_data, tmp_path):
    runner, seen = run(toy.config(toy_data, tmp_path, 2, 5))
    assert [s[:2] for s in seen] == [(0, 'SGD')] * 2 + [(1, 'AdamW')] * 3
    assert [round(s[2], 6) for s in seen[2:]] == [0.0001, 0.001, 0.001]
    assert runner.model.phase is Phase.SQUEEZE
    assert [s[3] for s in seen] == [None] * 2 + [str(tmp_path / 'expansion.pth')] * 3
    saved = torch.load(tmp_path / 'expansion.pth', weights_only=False)
    assert (saved['meta']['epoch'], saved['meta']['iter'], saved['state_dict']['squeeze.phase']) == (0, 2, 0)
    last = torch.load(tmp_path / 'iter_5.pth', weights_only=False)['state_dict']
    for key, value in saved['state_dict'].items():
        if key.startswith('backbone.'):
            assert torch.equal(value, last[key]), key
    assert not torch.equal(saved['state_dict']['squeeze.student.conv1.weight'], last['squeeze.student.conv1.weight'])


def test_a_weighting_is_told_of_the_switch_and_not_of_a_resume(toy_data, tmp_path):
    weighting = dict(type='xlearner_mm.DynamicWeightAverage', interval=10)
    toy.train(toy.config(toy_data, tmp_path / 'run', 2, 4, save_every=1, **{'model.weighting': weighting}))
    steps = [torch.load(tmp_path / f'run/iter_{i}.pth', weights_only=False)['state_dict']['weighting.steps']
             for i in (2, 3, 4)]
    assert steps == [2, 1, 2]
    runner = toy.train(toy.config(toy_data, tmp_path / 'again', 2, 4, **{'model.weighting': weighting}, resume=True,
                                  load_from=str(tmp_path / 'run/iter_3.pth')))
    assert runner.model.weighting.steps == 2


def test_what_is_missing_is_as_in_the_expansion(toy_data, tmp_path):
    cfg = toy.config(toy_data, tmp_path, 2, 4)
    cfg.custom_hooks[0].squeeze = dict()
    assert [s[1] for s in run(cfg)[1]] == ['SGD'] * 4


@pytest.mark.parametrize('scheduler, expected', [
    (dict(type='PolyLR', power=1.0), [0.0103, 0.0102, 0.0101, 0.01]),
    (dict(type='CosineAnnealingLR'), [0.01015 + 0.00015 * math.cos(math.pi * i / 4) for i in range(4)]),
])
def test_a_schedule_without_an_end_ends_with_the_squeeze(scheduler, expected, toy_data, tmp_path):
    cfg = toy.config(toy_data, tmp_path, 1, 5)
    cfg.custom_hooks[0].squeeze.optim_wrapper.optimizer.lr = 0.0103
    cfg.custom_hooks[0].squeeze.param_scheduler = [dict(scheduler, eta_min=0.01, by_epoch=False)]
    runner, seen = run(cfg)
    assert [s[2] for s in seen[1:]] == pytest.approx(expected)
    assert runner.param_schedulers[0].end == 4
    assert 'end' not in runner.cfg.custom_hooks[0].squeeze.param_scheduler[0]


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


@pytest.mark.parametrize('start', ['det', 'mean'])
def test_the_student_begins_with_the_trained_weights_in_one_run_and_in_two(start, toy_data, tmp_path):
    def config(folder, *args):
        cfg = toy.config(toy_data, tmp_path / folder, *args)
        cfg.model.squeeze.start = start
        for task in ('cls', 'seg'):
            cfg.model.backbone.sub_backbones[task] = cfg.model.backbone.sub_backbones.det
        cfg.model.squeeze.student = cfg.model.backbone.sub_backbones.det
        return cfg

    toy.train(config('one', 2, 4))
    expansion = torch.load(tmp_path / 'one' / 'expansion.pth', weights_only=False)['state_dict']
    cfg = config('two', 0, 2)
    cfg.load_from = str(tmp_path / 'one' / 'expansion.pth')
    cfg.custom_hooks.append(dict(type='StudentHook'))
    begun = next(h.begun for h in toy.train(cfg).hooks if isinstance(h, StudentHook))
    tasks = ['det'] if start == 'det' else ['cls', 'det', 'seg']
    for key, value in begun.items():
        parts = torch.stack([expansion[f'backbone.sub_backbones.{task}.{key}'] for task in tasks])
        torch.testing.assert_close(value, parts.mean(0) if value.is_floating_point() else parts.amax(0))
    one, two = (torch.load(tmp_path / name, weights_only=False)['state_dict'] for name in ('one/iter_4.pth',
                                                                                          'two/iter_2.pth'))
    assert all(torch.equal(value, two[key]) for key, value in one.items())


def test_a_loaded_expansion_goes_straight_into_the_squeeze(finished, toy_data, tmp_path):
    cfg = toy.config(toy_data, tmp_path, 0, 2, load_from=str(finished / 'expansion.pth'))
    runner, seen = run(cfg)
    assert [s[0] for s in seen] == [1, 1]
    saved = torch.load(finished / 'expansion.pth', weights_only=False)['state_dict']
    assert all(torch.equal(v, saved[k]) for k, v in runner.model.state_dict().items() if k.startswith('backbone.'))


def test_a_squeeze_without_a_whole_trained_teacher_is_refused(finished, toy_data, tmp_path):
    with pytest.raises(ValueError, match='expansion_iters=0 .*no trained expansion is loaded.*load_from=None must'):
        toy.train(toy.config(toy_data, tmp_path, 0, 2))
    state = torch.load(finished / 'expansion.pth', weights_only=False)['state_dict']
    del state['backbone.sub_backbones.det.conv1.weight']
    torch.save(dict(state_dict=state), tmp_path / 'part.pth')
    with pytest.raises(ValueError, match=r'no trained expansion is loaded.*part\.pth.*every parameter of model\.ba'):
        toy.train(toy.config(toy_data, tmp_path, 0, 2, load_from=str(tmp_path / 'part.pth')))


def test_a_squeezed_checkpoint_is_resumed_but_starts_no_expansion(finished, toy_data, tmp_path):
    squeezed = dict(load_from=str(finished / 'iter_4.pth'))
    with pytest.raises(ValueError, match=r'iter_4\.pth. was saved in the squeeze.*the 2 iterations of the expansion'):
        toy.train(toy.config(toy_data, tmp_path, 2, 5, **squeezed))
    runner, seen = run(toy.config(toy_data, tmp_path, 2, 5, resume=True, **squeezed))
    assert [s[:2] for s in seen] == [(1, 'AdamW')] and runner.iter == 5


SQUEEZE = 'custom_hooks.0.squeeze'


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
    ({'optim_wrapper.accumulative_counts': 2, 'custom_hooks.0.expansion_iters': 3},
     'expansion_iters=3 is no multiple of accumulative_counts=2 of the expansion'),
    ({f'{SQUEEZE}.optim_wrapper.accumulative_counts': 2, 'custom_hooks.0.expansion_iters': 3},
     'expansion_iters=3 is no multiple of accumulative_counts=2 of the squeeze'),
    ({f'{SQUEEZE}.optim_wrapper.accumulative_counts': 2, 'default_hooks.checkpoint.interval': 3},
     'Checkpoints with interval=3, which is no multiple of accumulative_counts=2'),
    ({f'{SQUEEZE}.optim_wrapper.optimizer.type': 'AdamZ'},
     r'A setting of ExpansionSqueezeHook\.squeeze is wrong: \w+Error: '),
    ({f'{SQUEEZE}.param_scheduler.0.by_epoch': True}, r'squeeze is wrong: ValueError: LinearLR counts epochs'),
    ({f'{SQUEEZE}.param_scheduler.0.start_factor': 7}, r'ExpansionSqueezeHook\.squeeze is wrong: ValueError: '),
])
def test_what_cannot_work_is_refused(changes, message, toy_data, tmp_path):
    with pytest.raises(ValueError, match=message):
        toy.train(toy.config(toy_data, tmp_path, 2, 4, **changes))
    assert not list(tmp_path.glob('*.pth'))


def test_a_squeeze_that_reads_another_number_of_samples_is_refused_before_the_expansion(toy_data, tmp_path):
    cfg = toy.config(toy_data, tmp_path, 2, 4)
    loader = cfg.train_dataloader.to_dict()
    loader['dataset']['sources']['photos']['dataset']['indices'] = 3
    cfg.custom_hooks[0].squeeze.train_dataloader = loader
    with pytest.raises(ValueError, match=r"squeeze is wrong: ValueError: .*'photos' had 7 samples and has 3"):
        toy.train(cfg)
    assert not list(tmp_path.glob('*.pth'))


def test_another_train_loop_is_refused(toy_data, tmp_path):
    cfg = toy.config(toy_data, tmp_path, 2, 4)
    cfg.train_cfg = dict(type='IterBasedTrainLoop', max_iters=4)
    with pytest.raises(TypeError, match="IterBasedTrainLoop never switches to the squeeze.*'xlearner_mm.MultiSou"):
        toy.train(cfg)


def test_the_preflight_looks_at_the_data_of_the_squeeze_before_the_expansion(toy_data, tmp_path):
    cfg = toy.config(toy_data, tmp_path, expansion_iters=2, max_iters=4)
    loader = cfg.train_dataloader.to_dict()
    loader['dataset']['sources']['maps']['dataset']['metainfo']['classes'] = ('w', 'x', 'y')
    cfg.custom_hooks[0].squeeze.train_dataloader = loader
    with pytest.raises(ValueError, match='(?s)A setting of ExpansionSqueezeHook.squeeze is wrong: .*maps.*3'):
        run(cfg)
    assert not list(tmp_path.glob('*.pth'))
