import os
import re
import signal

import pytest
import torch
from mmengine.hooks import Hook
from mmengine.registry import HOOKS, TRANSFORMS
from mmengine.runner import Runner

import toy
from tiny import classifier

pytestmark = pytest.mark.compat


@HOOKS.register_module()
class RecordHook(Hook):
    """Keeps what an iteration saw."""

    def __init__(self):
        self.fetches = []
        self.batches = []
        self.validated = []

    def before_fetch(self, runner):
        self.fetches.append(runner.iter)

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        self.batches.append({
            s: [x.img_path.rsplit('/', 1)[-1] for x in b['data_samples']] for s, b in data_batch.items()})

    def after_val_epoch(self, runner, metrics=None):
        self.validated.append(runner.iter)


def run(cfg):
    cfg.custom_hooks.append(dict(type='RecordHook'))
    runner = toy.train(cfg)
    return runner, next(h for h in runner.hooks if isinstance(h, RecordHook))


def test_positions_advance_by_what_was_trained_and_step_counts_within_the_phase(toy_data, tmp_path):
    runner, record = run(toy.config(toy_data, tmp_path, expansion_iters=3, max_iters=5))
    assert record.fetches == [0, 1, 2, 3, 4]
    state = runner.train_loop.state
    assert state['positions'] == dict(photos=10, boxes=10, maps=10) and state['step'] == 2
    drawn = [name for batch in record.batches for name in batch['boxes']]
    assert sorted(drawn[:5]) == sorted(drawn[5:]) == [f'{i}.png' for i in range(5)]
    hub = runner.message_hub.runtime_info['multi_source_state']
    assert (hub['data'], hub['skipped']) == (state, {})


def test_validation_is_due_as_configured(toy_data, tmp_path):
    cfg = toy.config(toy_data, tmp_path, expansion_iters=2, max_iters=5)
    cfg.train_cfg.update(val_begin=2, val_interval=3)
    assert run(cfg)[1].validated == [3, 5]


def test_a_resumed_run_makes_up_for_the_validation_of_its_checkpoint(toy_data, tmp_path):

    def validated(name, max_iters, val_interval, **changes):
        cfg = toy.config(toy_data, tmp_path / name, expansion_iters=1, max_iters=max_iters, **changes)
        cfg.train_cfg.update(val_begin=1, val_interval=val_interval)
        return run(cfg)[1].validated

    assert validated('whole', 2, 2) == [2]
    checkpoint = dict(resume=True, load_from=str(tmp_path / 'whole' / 'iter_2.pth'))
    assert validated('resumed', 2, 2, **checkpoint) == [2]
    assert validated('not due', 3, 3, **checkpoint) == [3]


def test_skipped_samples_are_counted(toy_data, tmp_path):
    root = toy.write_data(tmp_path / 'data')
    broken = next((root / 'photos/train').rglob('*.png'))
    broken.write_bytes(broken.read_bytes()[:200])
    cfg = toy.config(root, tmp_path / 'run', expansion_iters=2, max_iters=4)
    cfg.train_dataloader.dataset.sources.photos.on_error = 'skip'
    runner, _ = run(cfg)
    assert runner.train_loop.skips.counts == dict(photos=dict(skipped=1, dropped=0))
    assert runner.message_hub.runtime_info['multi_source_state']['skipped'] == runner.train_loop.skips.counts
    log = next((tmp_path / 'run').rglob('*.log')).read_text()
    assert "Skipped. Source 'photos': sample" in log and str(broken) in log
    assert re.search("Source 'photos': of [2468] samples so far 1 could not be loaded and were skipped, 0 were", log)


def test_a_truncated_image_stops_the_run_and_leaves_the_checkpoints(tmp_path):
    root, work_dir = toy.write_data(tmp_path / 'data'), tmp_path / 'run'
    toy.train(toy.config(root, work_dir, expansion_iters=1, max_iters=2, save_every=1))
    saved = {path: path.read_bytes() for path in (*work_dir.glob('*.pth'), work_dir / 'last_checkpoint')}
    assert {path.name for path in saved} == {'iter_1.pth', 'iter_2.pth', 'expansion.pth', 'last_checkpoint'}
    for path in (root / 'photos/train').rglob('*.png'):
        path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(Exception, match=r"Source 'photos': sample \d+ .*cannot be loaded.*on_error='skip'"):
        toy.train(toy.config(root, work_dir, expansion_iters=1, max_iters=4, save_every=1, resume=True))
    assert {path: path.read_bytes() for path in saved} == saved
    assert {path.name for path in work_dir.glob('*.pth')} == {'iter_1.pth', 'iter_2.pth', 'expansion.pth'}
    assert not list(work_dir.glob('.*.tmp'))


def test_nan_stops_the_run_and_leaves_the_checkpoints(toy_data, tmp_path):
    cfg = toy.config(toy_data, tmp_path / 'run', save_every=1)
    cfg.optim_wrapper.optimizer.lr = 1e30
    with pytest.raises(FloatingPointError, match='The loss of source .* is not finite'):
        run(cfg)
    assert 'state_dict' in torch.load(tmp_path / 'run/iter_1.pth', weights_only=False)


def build(cfg):
    toy.clear_mmengine()
    runner = Runner.from_cfg(cfg)
    return runner.build_train_loop(cfg.train_cfg)


def test_what_cannot_work_is_refused(toy_data, tmp_path):

    def config(**changes):
        return toy.config(toy_data, tmp_path, **changes)

    with pytest.raises(ValueError, match='max_iters=0 must be a positive integer'):
        build(config(**{'train_cfg.max_iters': 0}))
    with pytest.raises(ValueError, match='auto_scale_lr multiplies one batch size'):
        build(config(auto_scale_lr=dict(enable=True, base_batch_size=8)))
    with pytest.raises(ValueError, match="data set has the sources and tasks.*'boxes': 'box'.*same sources and tasks"):
        build(config(**{'train_dataloader.dataset.sources.boxes.task': 'box'}))
    cfg = config()
    cfg.train_dataloader.pop('batch_sampler')
    cfg.train_dataloader.batch_size = 2
    with pytest.raises(TypeError, match="batch_sampler=dict\\(type='xlearner_mm.MultiSourceBatchSampler'\\)"):
        build(cfg)
    cfg = config()
    cfg.model = dict(classifier(backbone=dict(type='mmpretrain.ResNet', depth=18)), _scope_='mmpretrain')
    with pytest.raises(TypeError, match='trains an xlearner_mm.XLearner, got ImageClassifier'):
        build(cfg)


def test_another_wrapper_is_refused(toy_data, tmp_path):
    cfg = toy.config(toy_data, tmp_path)
    runner = Runner.from_cfg(cfg)
    runner.model = torch.nn.DataParallel(runner.model)
    with pytest.raises(TypeError, match="DataParallel gives wrong gradients.*'xlearner_mm.MultiSourceDistributed'"):
        runner.build_train_loop(cfg.train_cfg)


def test_schedules_by_epoch_are_refused(toy_data, tmp_path):
    cfg = toy.config(toy_data, tmp_path, **{'param_scheduler.0.by_epoch': True})
    with pytest.raises(ValueError, match='PolyLR counts epochs.*would stay where it begins. Set by_epoch=False'):
        toy.train(cfg)
    assert not list(tmp_path.glob('*.pth'))


@pytest.mark.parametrize('squeeze, warned', [(True, True), (False, False)])
def test_a_squeeze_that_nothing_switches_to_is_told(squeeze, warned, toy_data, tmp_path):
    changes = {} if squeeze else {'model.squeeze': None}
    toy.train(toy.config(toy_data, tmp_path, max_iters=1, custom_hooks=[], **changes))
    log = next(tmp_path.rglob('*.log')).read_text()
    assert ('no hook switches to it: the student stays untrained' in log) == warned


def test_a_label_out_of_range_names_the_source(toy_data, tmp_path):
    cfg = toy.config(toy_data, tmp_path)
    cfg.model.branches.photos.model.head.num_classes = 2
    cfg.train_cfg.preflight_allow = ['classes']
    with pytest.raises(ValueError, match=r"Source 'photos': label 2 of .*\.png is outside 0\.\.1"):
        run(cfg)


def test_resuming_a_checkpoint_without_a_position_begins_the_data_anew_and_tells(toy_data, tmp_path):
    toy.train(toy.config(toy_data, tmp_path / 'a', expansion_iters=1, max_iters=2))
    checkpoint = torch.load(tmp_path / 'a/iter_2.pth', weights_only=False)
    del checkpoint['message_hub']['runtime_info']['multi_source_state']
    torch.save(checkpoint, tmp_path / 'old.pth')
    cfg = toy.config(toy_data, tmp_path / 'b', 1, 4, resume=True, load_from=str(tmp_path / 'old.pth'))
    runner = toy.train(cfg)
    assert runner.train_loop.state['positions'] == dict(photos=4, boxes=4, maps=4)
    assert runner.train_loop.state['step'] == 4
    log = next((tmp_path / 'b').rglob('*.log')).read_text()
    assert 'iteration 2 holds no position in the data' in log and 'Every source begins anew' in log


def test_the_table_of_sources_comes_before_the_first_step(toy_data, tmp_path):
    toy.train(toy.config(toy_data, tmp_path, expansion_iters=2, max_iters=7))
    log = next(tmp_path.rglob('*.log')).read_text()
    table, steps = log.split('Sources of this run:', 1)[1].split('Iter(train)', 1)
    row = next(line for line in table.splitlines() if 'boxes' in line)
    assert row.split() == ['boxes', 'det', 'mmdet', '5', '2', '2.80', '1', '2']


def test_epochs_are_counted_over_both_phases(toy_data, tmp_path):
    cfg = toy.config(toy_data, tmp_path, expansion_iters=2, max_iters=7)
    squeeze = dict(cfg.train_dataloader.to_dict(), batch_size=dict(photos=1, boxes=1, maps=3))
    cfg.custom_hooks[0].squeeze.train_dataloader = squeeze
    runner, _ = run(cfg)
    assert runner.train_loop.state['positions'] == dict(photos=9, boxes=9, maps=19)
    hook = next(h for h in runner.hooks if hasattr(h, 'planned_images'))
    assert hook.planned_images(runner) == dict(photos=9, boxes=9, maps=19)
    log = next(tmp_path.rglob('*.log')).read_text()
    assert '1.8' in next(line for line in log.splitlines() if 'boxes' in line and 'mmdet' in line and 'cls' not in line)


def test_findings_of_the_preflight_stop_the_run_or_are_allowed(toy_data, tmp_path):
    cfg = toy.config(toy_data, tmp_path / 'a')
    cfg.model.branches.maps.model.data_preprocessor.mean = [0.0] * 3
    with pytest.raises(ValueError, match="(?s)maps.*preflight_allow=\\['normalisation'\\]"):
        run(cfg)
    cfg = toy.config(toy_data, tmp_path / 'b', max_iters=4)
    cfg.model.branches.maps.model.data_preprocessor.mean = [0.0] * 3
    cfg.train_cfg.preflight_allow = ['normalisation']
    assert run(cfg)[0].iter == 4


def test_a_source_that_may_not_repeat(toy_data, tmp_path):
    cfg = toy.config(toy_data, tmp_path / 'a', expansion_iters=1, max_iters=3)
    cfg.train_dataloader.batch_sampler.no_repeat = ['boxes']
    with pytest.raises(ValueError, match="This run draws 6 samples of source 'boxes', which has 5 and may not repeat"):
        run(cfg)
    cfg.train_cfg.max_iters = 2
    cfg.work_dir = str(tmp_path / 'b')
    runner, _ = run(cfg)
    loop = runner.train_loop
    loop._iterator = None
    with pytest.raises(ValueError, match="Source 'boxes' is used up and may not repeat"):
        loop._next_batch()


@pytest.mark.parametrize('schedule, batch_size', [('mixed', 4), ('alternate', dict(photos=2, boxes=1, maps=2))])
def test_other_schedules_train_and_resume(schedule, batch_size, toy_data, tmp_path):

    def config(name, max_iters=8, **changes):
        cfg = toy.config(toy_data, tmp_path / name, expansion_iters=4, max_iters=max_iters, save_every=3, **changes)
        cfg.train_dataloader.batch_size = batch_size
        cfg.train_dataloader.batch_sampler.update(schedule=schedule, ratios=dict(photos=1, boxes=2, maps=3))
        return cfg

    runner, record = run(config('whole'))
    sources = [list(batch) for batch in record.batches]
    if schedule == 'alternate':
        assert [len(names) for names in sources] == [1] * 8
        assert sorted(sum(sources[:4], [])) == sorted(sum(sources[4:], []))  # each phase begins its turns anew
    else:
        assert all(sum(map(len, batch.values())) == 4 for batch in record.batches)
        assert runner.train_loop.state['positions'] == dict(photos=6, boxes=10, maps=16)
    for iteration in (3, 6):
        resumed, again = run(config(
            f'resumed{iteration}', resume=True, load_from=str(tmp_path / f'whole/iter_{iteration}.pth')))
        assert again.batches == record.batches[iteration:]
        toy.assert_same_checkpoint(tmp_path / 'whole/iter_8.pth', tmp_path / f'resumed{iteration}/iter_8.pth')


@TRANSFORMS.register_module()
class DieHere:
    """Kills the process at one image, as a fault in a decoder does."""

    def __call__(self, results):
        if results['img_path'].endswith('3.png'):
            os.kill(os.getpid(), signal.SIGKILL)
        return results


def test_a_dead_worker_is_reported_with_its_sample(toy_data, tmp_path):
    cfg = toy.config(toy_data, tmp_path, max_iters=6)
    cfg.train_dataloader.num_workers = 1
    pipeline = cfg.train_dataloader.dataset.sources.boxes.dataset.pipeline
    pipeline.insert(1, dict(type='mmengine.DieHere'))
    with pytest.raises(RuntimeError, match=(
            r'(killed by signal: Killed|exited unexpectedly|Errno.*|Error)\. Worker \d+ was at sample 3 of source '
            r"'boxes' \(.*/train/3\.png\), epoch 0\. "
            'If it was killed for want of memory')):
        toy.train(cfg)


@TRANSFORMS.register_module()
class DropHere:
    """Drops one image, as a crop without boxes does."""

    def __call__(self, results):
        return None if results['img_path'].endswith('3.png') else results


def test_dropped_samples_are_counted(toy_data, tmp_path):
    cfg = toy.config(toy_data, tmp_path, expansion_iters=1, max_iters=5)
    cfg.train_dataloader.dataset.sources.boxes.dataset.pipeline.insert(1, dict(type='mmengine.DropHere'))
    runner, _ = run(cfg)
    assert runner.train_loop.skips.counts == dict(boxes=dict(skipped=0, dropped=2))
