import pytest
import torch
from mmengine.hooks import Hook
from mmengine.registry import HOOKS
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
    assert runner.train_loop.skipped == dict(photos=1)
    assert runner.message_hub.runtime_info['multi_source_state']['skipped'] == dict(photos=1)


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
    with pytest.raises(ValueError, match=r"Source 'photos': label 2 of .*\.png is outside 0\.\.1"):
        run(cfg)


def test_resuming_a_checkpoint_without_a_position_is_refused(toy_data, tmp_path):
    toy.train(toy.config(toy_data, tmp_path / 'a', expansion_iters=1, max_iters=2))
    checkpoint = torch.load(tmp_path / 'a/iter_2.pth', weights_only=False)
    del checkpoint['message_hub']['runtime_info']['multi_source_state']
    torch.save(checkpoint, tmp_path / 'old.pth')
    cfg = toy.config(toy_data, tmp_path / 'b', 1, 4, resume=True, load_from=str(tmp_path / 'old.pth'))
    with pytest.raises(ValueError, match='iteration 2 holds no position in the data.*load_from instead of resume'):
        toy.train(cfg)
