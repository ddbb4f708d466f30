import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import toy
from xlearner_mm.tools import train

pytestmark = pytest.mark.compat

ROOT = Path(__file__).parents[2]


def parse(monkeypatch, *arguments):
    monkeypatch.setattr(sys, 'argv', ['train.py', *map(str, arguments)])
    monkeypatch.delenv('LOCAL_RANK', raising=False)
    monkeypatch.setenv('LOCAL_RANK', '0')  # so that what parse_args sets is undone
    monkeypatch.delenv('LOCAL_RANK')
    return train.parse_args()


@pytest.fixture
def config(tmp_path):
    path = tmp_path / 'mine.py'
    path.write_text(f"""
optim_wrapper = dict(type='OptimWrapper', optimizer=dict(type='SGD', lr=0.1))
custom_hooks = [
    dict(type='EMAHook'),
    dict(type='xlearner_mm.ExpansionSqueezeHook', expansion_iters=1, squeeze=dict(
        optim_wrapper=dict(type='OptimWrapper', loss_scale=512.0, optimizer=dict(type='AdamW', lr=0.2)))),
    dict(type='xlearner_mm.ExpansionSqueezeHook', expansion_iters=1),
]
load_from = 'pretrained.pth'
work_dir = {str(tmp_path / 'run')!r}
""")
    return path


@pytest.mark.parametrize('spelling', [['--local-rank', '3'], ['--local_rank', '3'], ['--local-rank=3'],
                                      ['--local_rank=3']])
def test_both_spellings_of_the_local_rank(spelling, config, monkeypatch):
    parse(monkeypatch, config, *spelling)
    assert os.environ['LOCAL_RANK'] == '3'


def test_the_command_line_overrides_the_config(config, monkeypatch):
    cfg = train.load_config(parse(monkeypatch, config))
    assert (cfg.launcher, cfg.optim_wrapper.type, cfg.load_from) == ('none', 'OptimWrapper', 'pretrained.pth')
    assert cfg.custom_hooks[1].squeeze.optim_wrapper.type == 'OptimWrapper'
    assert cfg.work_dir == str(config.parent / 'run')
    assert 'resume' not in cfg
    cfg = train.load_config(parse(monkeypatch, config, '--cfg-options', 'work_dir=None'))
    assert cfg.work_dir == 'work_dirs/mine'
    cfg = train.load_config(parse(monkeypatch, config, '--work-dir', 'w', '--amp', '--cfg-options',
                                  'optim_wrapper.optimizer.lr=0.5'))
    assert (cfg.work_dir, cfg.optim_wrapper.type, cfg.optim_wrapper.loss_scale) == ('w', 'AmpOptimWrapper', 'dynamic')
    assert cfg.optim_wrapper.optimizer.lr == 0.5


def test_amp_is_for_the_squeeze_too(config, monkeypatch):
    hooks = train.load_config(parse(monkeypatch, config, '--amp')).custom_hooks
    squeeze = hooks[1].squeeze.optim_wrapper
    assert (squeeze.type, squeeze.loss_scale, squeeze.optimizer.lr) == ('AmpOptimWrapper', 512.0, 0.2)
    assert 'squeeze' not in hooks[0] and 'squeeze' not in hooks[2]


def test_a_stock_config_without_hooks_of_ours_is_trained_in_amp(config, monkeypatch):
    config.write_text("optim_wrapper = dict(type='OptimWrapper')\n")
    assert train.load_config(parse(monkeypatch, config, '--amp')).optim_wrapper.loss_scale == 'dynamic'


def test_resume_takes_the_latest_checkpoint_or_the_one_named(config, monkeypatch):
    (config.parent / 'run').mkdir()
    (config.parent / 'run' / 'last_checkpoint').write_text('iter_3.pth')
    cfg = train.load_config(parse(monkeypatch, config, '--resume'))
    assert cfg.resume is True and cfg.load_from is None
    cfg = train.load_config(parse(monkeypatch, config, '--resume', 'iter_1.pth'))
    assert cfg.resume is True and cfg.load_from == 'iter_1.pth'


def test_resume_of_a_run_that_has_not_begun_is_its_first_start(config, monkeypatch):
    cfg = train.load_config(parse(monkeypatch, config, '--resume'))
    assert not cfg.get('resume') and cfg.load_from == 'pretrained.pth'


def test_two_processes_train_on_the_cpu_and_one_goes_on(toy_data, tmp_path):
    toy.config(toy_data, tmp_path / 'run', 1, 2, save_every=1).dump(tmp_path / 'two.py')
    env = dict(os.environ, PYTHONPATH=os.pathsep.join([str(ROOT), str(ROOT / 'tests')]), OMP_NUM_THREADS='1')
    command = ['-m', 'torch.distributed.run', '--standalone', '--nproc_per_node=2',
               str(ROOT / 'xlearner_mm/tools/train.py'), str(tmp_path / 'two.py'), '--launcher', 'pytorch']
    done = subprocess.run([sys.executable, *command], env=env, cwd=tmp_path, capture_output=True, text=True,
                          timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]
    saved, state = saved_state(tmp_path / 'run/iter_2.pth')
    assert state['positions'] == dict(boxes=8, maps=8, photos=8)  # 2 steps of 2 images on 2 ranks
    assert saved['state_dict']['squeeze.phase'] == 1
    batch_size = dict.fromkeys(state['positions'], 4)  # one rank has the batches of two
    for name in ('iter_1', 'iter_2'):  # before the switch and after it
        cfg = toy.config(toy_data, tmp_path / name, 1, 3, resume=True, load_from=str(tmp_path / f'run/{name}.pth'))
        cfg.train_dataloader.batch_size = batch_size
        toy.train(cfg)
        alone, state = saved_state(tmp_path / name / 'iter_3.pth')
        assert state['positions'] == dict.fromkeys(batch_size, 12)
        assert alone['state_dict'].keys() == saved['state_dict'].keys()
        assert all(value.isfinite().all() for value in alone['state_dict'].values())


def saved_state(path):
    """Give a checkpoint, and the state of the sources in it."""
    saved = torch.load(path, weights_only=False)
    return saved, saved['message_hub']['runtime_info']['multi_source_state']['data']
