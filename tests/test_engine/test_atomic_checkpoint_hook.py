import os
from pathlib import Path

import pytest
import torch
from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from mmengine.runner import Runner

import toy
from xlearner_mm.engine import AtomicCheckpointHook, MultiSourceTrainLoop

pytestmark = pytest.mark.compat

TOP1 = 'photos/accuracy/top1'
BEST = 'best_photos_accuracy_top1_iter_{}.pth'


@HOOKS.register_module()
class RisingHook(Hook):
    """Makes every validation better than the one before."""

    def after_val_epoch(self, runner, metrics=None):
        assert TOP1 in metrics
        metrics[TOP1] = runner.iter


def names(work_dir, pattern='iter_*.pth'):
    return sorted(p.name for p in work_dir.glob(pattern))


def saving_best(toy_data, work_dir, max_iters=4, **changes):
    cfg = toy.config(toy_data, work_dir, 1, max_iters, **changes)
    cfg.train_cfg.update(val_begin=1, val_interval=2)
    cfg.default_hooks.checkpoint.update(save_best=TOP1, rule='greater')
    cfg.custom_hooks.append(dict(type='RisingHook'))
    return cfg


def test_keeps_the_latest_and_names_the_last(toy_data, tmp_path):
    toy.train(toy.config(toy_data, tmp_path, 2, 5, save_every=1, **{'default_hooks.checkpoint.max_keep_ckpts': 2}))
    assert names(tmp_path) == ['iter_4.pth', 'iter_5.pth']
    assert Path((tmp_path / 'last_checkpoint').read_text()).name == 'iter_5.pth'
    assert not list(tmp_path.glob('*.tmp'))


def test_the_new_one_stands_before_an_old_one_is_deleted(toy_data, tmp_path, monkeypatch):
    seen = []
    unlink = Path.unlink

    def spy(path, **kwargs):
        if path.suffix == '.pth':
            seen.append((path.name, names(tmp_path), (tmp_path / 'last_checkpoint').read_text().rsplit('/', 1)[-1]))
        unlink(path, **kwargs)

    monkeypatch.setattr(Path, 'unlink', spy)
    toy.train(toy.config(toy_data, tmp_path, 1, 3, save_every=1, **{'default_hooks.checkpoint.max_keep_ckpts': 1}))
    assert seen == [('iter_1.pth', ['iter_1.pth', 'iter_2.pth'], 'iter_2.pth'),
                    ('iter_2.pth', ['iter_2.pth', 'iter_3.pth'], 'iter_3.pth')]


def test_a_failed_save_leaves_the_saved_ones(toy_data, tmp_path, monkeypatch):
    cfg = toy.config(toy_data, tmp_path, 2, 4, save_every=1, **{'default_hooks.checkpoint.max_keep_ckpts': 1})
    save = Runner.save_checkpoint

    def full_disk(self, out_dir, filename, **kwargs):
        if filename == 'iter_2.pth':
            raise OSError('No space left on device')
        save(self, out_dir, filename, **kwargs)

    monkeypatch.setattr(Runner, 'save_checkpoint', full_disk)
    with pytest.raises(OSError, match='No space'):
        toy.train(cfg)
    assert names(tmp_path) == ['iter_1.pth']
    assert Path((tmp_path / 'last_checkpoint').read_text()).name == 'iter_1.pth'
    assert 'state_dict' in torch.load(tmp_path / 'iter_1.pth', weights_only=False)


def test_wrong_arguments(toy_data, tmp_path):
    with pytest.raises(TypeError, match=r"sets \['by_epoch'\] itself"):
        AtomicCheckpointHook(by_epoch=True)


@pytest.mark.parametrize('checkpoint, train_cfg, name', [
    (dict(interval=3), dict(), 'interval=3'),
    (dict(interval=2, save_begin=3), dict(), 'save_begin=3'),
    (dict(interval=2, save_best=TOP1, rule='greater'), dict(val_interval=3), 'val_interval=3'),
])
def test_checkpoints_between_two_steps_of_the_optimizer_are_refused(checkpoint, train_cfg, name, toy_data, tmp_path):
    cfg = toy.config(toy_data, tmp_path, 2, 4, custom_hooks=[], **{'optim_wrapper.accumulative_counts': 2})
    cfg.default_hooks.checkpoint.update(checkpoint)
    cfg.train_cfg.update(train_cfg)
    with pytest.raises(ValueError, match=f'Checkpoints with {name}, which is no multiple of accumulative_counts=2'):
        toy.train(cfg)
    assert not names(tmp_path, '*.pth')


def test_leftovers_of_a_killed_run_are_removed_before_training(toy_data, tmp_path, monkeypatch):
    kept = [tmp_path / name for name in ('.note.tmp', 'iter_3.pth.abc.tmp')]
    for path in (*kept, tmp_path / '.iter_3.pth.abc.tmp', tmp_path / '.expansion.pth.x_1.tmp'):
        path.write_bytes(b'half')

    def stop(*args):
        raise InterruptedError

    monkeypatch.setattr(MultiSourceTrainLoop, 'run_iter', stop)
    with pytest.raises(InterruptedError):
        toy.train(toy.config(toy_data, tmp_path, 1, 2))
    assert names(tmp_path, '*.tmp') == sorted(path.name for path in kept)


def test_the_old_best_is_removed_when_the_new_one_stands(toy_data, tmp_path, monkeypatch):
    seen = []
    remove = os.remove

    def spy(path):
        if Path(path).name.startswith('best'):
            seen.append((Path(path).name, names(tmp_path, 'best*.pth')))
        remove(path)

    monkeypatch.setattr(os, 'remove', spy)
    runner = toy.train(saving_best(toy_data, tmp_path))
    assert seen == [(BEST.format(2), [BEST.format(2), BEST.format(4)])]
    assert names(tmp_path, 'best*.pth') == [BEST.format(4)]
    assert torch.load(tmp_path / BEST.format(4), weights_only=False)['meta']['iter'] == 4
    assert runner.message_hub.get_info('best_score') == 4


def test_a_failed_save_leaves_the_old_best(toy_data, tmp_path, monkeypatch):
    save = Runner.save_checkpoint

    def full_disk(self, out_dir, filename, *args, **kwargs):
        if filename == BEST.format(4):
            raise OSError('No space left on device')
        save(self, out_dir, filename, *args, **kwargs)

    monkeypatch.setattr(Runner, 'save_checkpoint', full_disk)
    with pytest.raises(OSError, match='No space'):
        toy.train(saving_best(toy_data, tmp_path))
    assert names(tmp_path, 'best*.pth') == [BEST.format(2)]
    assert 'state_dict' in torch.load(tmp_path / BEST.format(2), weights_only=False)


def test_a_best_that_is_saved_again_under_its_name_stays(toy_data, tmp_path):
    toy.train(saving_best(toy_data, tmp_path, 2))
    checkpoint = torch.load(tmp_path / 'iter_2.pth', weights_only=False)
    checkpoint['message_hub']['runtime_info']['best_score'] = 1  # as if the validation data had changed
    torch.save(checkpoint, tmp_path / 'iter_2.pth')
    toy.train(saving_best(toy_data, tmp_path, 2, resume=True))
    assert names(tmp_path, 'best*.pth') == [BEST.format(2)]
