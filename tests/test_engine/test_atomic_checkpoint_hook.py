from pathlib import Path

import pytest
import torch
from mmengine.runner import Runner

import toy
from xlearner_mm.engine import AtomicCheckpointHook


def names(work_dir):
    return sorted(p.name for p in work_dir.glob('iter_*.pth'))


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
    cfg = toy.config(toy_data, tmp_path, 2, 4, save_every=3, **{'optim_wrapper.accumulative_counts': 2})
    with pytest.raises(ValueError, match='interval 3 is no multiple of accumulative_counts=2'):
        toy.train(cfg)
