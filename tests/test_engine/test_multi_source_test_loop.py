import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.fileio import load
from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from mmengine.runner import Runner

import toy
from stock_metrics import compare
from xlearner_mm.models import Phase
from xlearner_mm.tools.test import load_config, parse_args

pytestmark = pytest.mark.compat

TESTS = Path(__file__).parents[1]


@pytest.fixture(scope='module')
def run(toy_data, tmp_path_factory):
    """A run whose student finds some of the boxes; its config and its last checkpoint."""
    folder = tmp_path_factory.mktemp('run')
    cfg = toy.config(toy_data, folder / 'run', 1, 3)
    cfg.val_dataloader.photos.batch_size = 3  # 7 photographs: the last batch is smaller
    runner = toy.train(cfg)
    torch.nn.init.constant_(runner.model.branches['boxes'].bbox_head.conv_reg.bias, 2.9)
    runner.save_checkpoint(str(folder / 'run'), 'found.pth', by_epoch=False)
    cfg.dump(folder / 'toy_run.py')
    return folder / 'toy_run.py', folder / 'run' / 'found.pth'


LIMITS = dict(photos=5, boxes=3, maps=5)


def measure_by_two(run, folder):
    """What ``tests/stock_metrics.py`` finds with two processes."""
    env = dict(os.environ, PYTHONPATH=os.pathsep.join([str(TESTS.parent), str(TESTS)]), OMP_NUM_THREADS='1')
    command = ['-m', 'torch.distributed.run', '--standalone', '--nproc_per_node=2', str(TESTS / 'stock_metrics.py'),
               *map(str, run), str(folder / 'out.json'), '--limits', json.dumps(LIMITS), '--launcher', 'pytorch']
    done = subprocess.run([sys.executable, *command], env=env, cwd=folder, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads((folder / 'out.json').read_text())


def test_metrics_are_those_of_the_stock_libraries_with_one_process_and_two(run, tmp_path, monkeypatch):
    monkeypatch.setenv('LOCAL_RANK', '0')
    cfg = load_config(parse_args([*map(str, run), '--work-dir', str(tmp_path / 'xlearner')]))
    one = compare(cfg, tmp_path / 'one', LIMITS)
    assert one['xlearner'] == one['stock']
    assert {'photos/accuracy/top1', 'boxes/coco/bbox_mAP', 'maps/mIoU', 'maps/aAcc'} <= set(one['stock'])
    assert all(one['stock'][key] > 0.1 for key in ('photos/accuracy/top1', 'boxes/coco/bbox_mAP_50', 'maps/mIoU'))
    assert one['limited'] != one['xlearner']
    assert measure_by_two(run, tmp_path) == one


@HOOKS.register_module()
class NotesHook(Hook):
    """Notes what a test tells its hooks."""

    def __init__(self):
        self.told = []

    def before_test(self, runner):
        self.told.append('before')

    def after_test_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        self.told.append(outputs[0].source)

    def after_test_epoch(self, runner, metrics=None):
        self.told.append(metrics)

    def after_test(self, runner):
        self.told.append('after')


def build(run, work_dir, **changes):
    cfg = Config.fromfile(run[0])
    cfg.update(test_dataloader=cfg.val_dataloader, test_evaluator=cfg.val_evaluator,
               test_cfg=dict(type='xlearner_mm.MultiSourceTestLoop'), load_from=str(run[1]), work_dir=str(work_dir))
    cfg.merge_from_dict(changes)
    cfg.custom_hooks.extend([dict(type='NotesHook'), dict(type='EMAHook')])
    return Runner.from_cfg(cfg)


def test_hooks_see_one_test_of_the_phase_of_the_checkpoint(run, tmp_path):
    score = dict(baselines={'maps/aAcc': 10.0})
    runner = build(run, tmp_path, **{'test_cfg.delta_mtl': score, 'test_cfg.max_samples': dict(boxes=2)})
    metrics = runner.test()
    assert runner.model.phase is Phase.SQUEEZE
    told = next(hook for hook in runner.hooks if isinstance(hook, NotesHook)).told
    assert told == ['before', 'boxes', *['maps'] * 3, *['photos'] * 3, metrics, 'after']
    assert metrics['delta_mtl'] == pytest.approx(10 * (metrics['maps/aAcc'] - 10))


def test_what_writes_files_need_not_give_metrics(run, tmp_path):
    boxes = dict(type='mmdet.DumpDetResults', out_file_path=str(tmp_path / 'boxes.pkl'))
    maps = dict(type='mmseg.IoUMetric', format_only=True, output_dir=str(tmp_path / 'maps'))
    runner = build(run, tmp_path, **{'test_evaluator.boxes': dict(boxes, _delete_=True),
                                     'test_evaluator.maps': dict(maps, _delete_=True)})
    assert list(runner.test()) == ['photos/accuracy/top1']
    assert len(load(tmp_path / 'boxes.pkl')) == 5 and len(list((tmp_path / 'maps').iterdir())) == 6


def test_a_detector_that_finds_nothing_fails_a_test(run, tmp_path):
    runner = build(run, tmp_path, **{'model.branches.boxes.model.test_cfg.score_thr': 1.0})
    with pytest.raises(ValueError, match="'boxes': nothing was found on any of 5 samples.*lower score_thr"):
        runner.test()


def test_settings_are_named_as_the_test_has_them(run, tmp_path):
    with pytest.raises(ValueError, match=r"test_dataloader has the sources .*, test_evaluator \['boxes', 'cats'"):
        build(run, tmp_path, **{'test_evaluator.cats': dict(type='mmseg.IoUMetric')}).test()
    with pytest.raises(ValueError, match="test_cfg.max_samples names the source 'cats'"):
        build(run, tmp_path, **{'test_cfg.max_samples': dict(cats=1)}).test()
    with pytest.raises(TypeError, match="unexpected keyword argument 'intervals'"):
        build(run, tmp_path, **{'test_cfg.intervals': dict(maps=2)}).test()
