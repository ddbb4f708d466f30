"""A run that is killed and resumed ends with the same weights as one that is not."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import toy
from tiny import two_stage_detector

pytestmark = pytest.mark.compat

ITERS, SWITCH = 6, 3


@pytest.fixture(scope='module')
def reference(toy_data, tmp_path_factory):
    """Work folder of a run that nothing disturbed, a checkpoint for each iteration."""
    work_dir = tmp_path_factory.mktemp('reference')
    threads = torch.get_num_threads()
    toy.train(toy.config(toy_data, work_dir, SWITCH, ITERS, save_every=1))
    assert torch.get_num_threads() == threads
    return work_dir


def run_file(config: Path, *args: str) -> subprocess.CompletedProcess:
    root = Path(__file__).parents[2]
    path = os.pathsep.join([str(root), str(root / 'tests'), os.environ.get('PYTHONPATH', '')])
    env = dict(os.environ, PYTHONPATH=path, OMP_NUM_THREADS=str(torch.get_num_threads()))
    return subprocess.run([sys.executable, '-m', 'xlearner_mm.tools.train', str(config), *args],
                          env=env, capture_output=True, text=True, timeout=300)


@pytest.mark.parametrize('at, saving', [(2, False), (4, True)], ids=['expansion', 'squeeze-while-saving'])
def test_sigkill_and_resume(at, saving, reference, toy_data, tmp_path):
    cfg = toy.config(toy_data, tmp_path / 'run', SWITCH, ITERS, save_every=1)
    cfg.custom_hooks.append(dict(type='KillHook', at=at, saving=saving))
    cfg.custom_imports = dict(imports=['kill_hook'])
    cfg.dump(tmp_path / 'killed.py')
    killed = run_file(tmp_path / 'killed.py')
    assert killed.returncode == -signal.SIGKILL, killed.stderr[-2000:]
    saved = sorted(p.name for p in (tmp_path / 'run').glob('iter_*.pth'))
    assert saved == [f'iter_{i}.pth' for i in range(1, at + 1)]
    assert len(list((tmp_path / 'run').glob(f'.iter_{at + 1}.pth.*.tmp'))) == saving
    toy.config(toy_data, tmp_path / 'run', SWITCH, ITERS).dump(tmp_path / 'resumed.py')
    resumed = run_file(tmp_path / 'resumed.py', '--resume')
    assert resumed.returncode == 0, resumed.stderr[-2000:]
    assert f'resumed epoch: 0, iter: {at}' in resumed.stdout + resumed.stderr
    toy.assert_same_checkpoint(reference / f'iter_{ITERS}.pth', tmp_path / 'run' / f'iter_{ITERS}.pth')
    assert not list((tmp_path / 'run').glob('.*.tmp'))


@pytest.mark.parametrize('name', ['iter_1', f'iter_{SWITCH}', f'iter_{SWITCH + 1}', 'expansion'])
def test_resume_around_the_switch(name, reference, toy_data, tmp_path):
    shutil.copy(reference / f'{name}.pth', tmp_path / 'from.pth')
    cfg = toy.config(toy_data, tmp_path / 'run', SWITCH, ITERS, resume=True, load_from=str(tmp_path / 'from.pth'))
    runner = toy.train(cfg)
    assert runner.iter == ITERS
    toy.assert_same_checkpoint(reference / f'iter_{ITERS}.pth', tmp_path / 'run' / f'iter_{ITERS}.pth')


def with_average(cfg):
    cfg.custom_hooks.append(dict(type='EMAHook', momentum=0.1))


def with_accumulation(cfg):
    cfg.optim_wrapper.accumulative_counts = cfg.custom_hooks[0].squeeze.optim_wrapper.accumulative_counts = 2


def with_another_loader(cfg):
    loader = cfg.train_dataloader.to_dict()
    loader['batch_size'] = dict(photos=3, boxes=1, maps=2)
    cfg.custom_hooks[0].squeeze.train_dataloader = loader


def with_two_stages(cfg):
    cfg.model.branches.boxes.model = two_stage_detector()  # draws the RoIs that it trains on


@pytest.mark.parametrize('change', [with_average, with_accumulation, with_another_loader, with_two_stages])
def test_resume_with(change, toy_data, tmp_path):
    for run, source in (('whole', None), ('expansion', 'iter_2'), ('squeeze', 'iter_6')):
        cfg = toy.config(toy_data, tmp_path / run, 4, 8, save_every=2)
        change(cfg)
        if source is not None:
            cfg.update(resume=True, load_from=str(tmp_path / 'whole' / f'{source}.pth'))
        toy.train(cfg)
    for run in ('expansion', 'squeeze'):
        toy.assert_same_checkpoint(tmp_path / 'whole/iter_8.pth', tmp_path / run / 'iter_8.pth')


def test_a_resume_in_another_order_is_refused(reference, toy_data, tmp_path):
    cfg = toy.config(toy_data, tmp_path / 'run', SWITCH, ITERS, resume=True, load_from=str(reference / 'iter_1.pth'))
    cfg.model.branches = dict(reversed(cfg.model.branches.items()))
    with pytest.raises(ValueError, match='another order.*in the order boxes, maps, photos'):
        toy.train(cfg)


def test_workers_change_nothing(reference, toy_data, tmp_path):
    changes = {'train_dataloader.num_workers': 2, 'train_dataloader.persistent_workers': True}
    toy.train(toy.config(toy_data, tmp_path / 'run', SWITCH, ITERS, **changes))
    toy.assert_same_checkpoint(reference / f'iter_{ITERS}.pth', tmp_path / 'run' / f'iter_{ITERS}.pth')


def test_another_seed_changes_the_run(reference, toy_data, tmp_path):
    toy.train(toy.config(toy_data, tmp_path / 'run', SWITCH, ITERS, randomness=dict(seed=6)))
    name = 'squeeze.student.conv1.weight'
    one, two = (torch.load(folder / f'iter_{ITERS}.pth', map_location='cpu', weights_only=False)['state_dict'][name]
                for folder in (reference, tmp_path / 'run'))
    assert not torch.equal(one, two)
