import json

import numpy as np
import pytest
import torch
from mmengine.config import ConfigDict
from mmengine.evaluator import Evaluator
from mmengine.hooks import EMAHook, Hook
from mmengine.registry import DATA_SAMPLERS, DATASETS, HOOKS, METRICS
from mmengine.runner import Runner
from PIL import Image

import toy
from xlearner_mm.datasets import SampleError

pytestmark = pytest.mark.compat


def build(cfg):
    toy.clear_mmengine()
    runner = Runner.from_cfg(cfg)
    return runner, runner.build_val_loop(cfg.val_cfg)


def test_metrics_are_the_stock_ones_with_the_source_before(toy_data, tmp_path):
    cfg = toy.config(toy_data, tmp_path, randomness=dict(seed=6))
    runner, loop = build(cfg)
    # Boxes of about the size of the true ones: some are found.
    torch.nn.init.constant_(runner.model.branches['boxes'].bbox_head.conv_reg.bias, 2.9)
    metrics = loop.run()
    assert {'photos/accuracy/top1', 'boxes/coco/bbox_mAP', 'maps/mIoU', 'maps/aAcc'} <= set(metrics)
    assert metrics['boxes/coco/bbox_mAP_50'] > 0.1
    runner.model.eval()
    for source, library in dict(photos='mmpretrain', boxes='mmdet', maps='mmseg').items():
        dataset = DATASETS.build(ConfigDict(toy.data_sets(toy_data, 'val')[source], _scope_=library))
        evaluator = Evaluator(METRICS.build(ConfigDict(cfg.val_evaluator[source])))
        evaluator.dataset_meta = dataset.metainfo
        branch = runner.model.branch(source)
        for i in range(len(dataset)):
            sample = dataset[i]
            data = dict(inputs=[sample['inputs']], data_samples=[sample['data_samples']])
            evaluator.process(branch.val_step(data), data)
        for key, value in evaluator.evaluate(len(dataset)).items():
            assert metrics[f'{source}/{key}'] == pytest.approx(value, abs=1e-4)


def test_hooks_see_one_validation(toy_data, tmp_path):
    runner, loop = build(toy.config(toy_data, tmp_path))
    calls = []
    runner.call_hook = lambda name, **kwargs: calls.append(name)
    loop.run()
    assert [c for c in calls if 'iter' not in c] == ['before_val', 'before_val_epoch', 'after_val_epoch', 'after_val']
    assert calls.count('after_val_iter') == len(loop.dataloader) == 4 + 3 + 3


def test_sources_must_agree(toy_data, tmp_path):
    cfg = toy.config(toy_data, tmp_path)
    cfg.val_evaluator.pop('maps')
    with pytest.raises(ValueError, match=r"val_dataloader has the sources .*val_evaluator \['boxes', 'photos'\]"):
        build(cfg)
    cfg = toy.config(toy_data, tmp_path)
    for part in (cfg.val_dataloader, cfg.val_evaluator):
        part['cats'] = part.pop('maps')
    with pytest.raises(ValueError, match="the model \\['boxes', 'maps', 'photos'\\]"):
        build(cfg)


def test_data_sets_are_the_stock_ones(toy_data, tmp_path):
    _, loop = build(toy.config(toy_data, tmp_path))
    assert {source: type(dataset).__module__.split('.')[0] for source, dataset in loop.datasets.items()} == dict(
        photos='mmpretrain', boxes='mmdet', maps='mmseg')


def test_a_broken_image_and_a_label_without_a_class_are_named(tmp_path):
    root = toy.write_data(tmp_path / 'data')
    path = root / 'maps/img/val/3.png'
    path.write_bytes(path.read_bytes()[:300])
    _, loop = build(toy.config(root, tmp_path / 'a'))
    with pytest.raises(SampleError, match=r"'maps': sample 3 \(.*img/val/3\.png, .*\) cannot be loaded.*truncated"):
        loop.run()
    path.unlink()
    Image.fromarray(np.full((64, 64), 9, np.uint8)).save(root / 'maps/ann/val/2.png')
    _, loop = build(toy.config(root, tmp_path / 'b'))
    with pytest.raises(ValueError, match=r"'maps': label 9 of .*2\.png is outside 0\.\.3, the classes of its FCNHead"):
        loop.run()


def test_data_that_cannot_be_built_is_named(toy_data, tmp_path):
    cfg = toy.config(toy_data, tmp_path)
    cfg.val_dataloader.boxes.dataset.ann_file = 'none.json'
    with pytest.raises(ValueError, match=r"'boxes' \(.*none\.json.*Mend val_dataloader\.boxes\.dataset: its type"):
        build(cfg)


@HOOKS.register_module()
class ValidationsHook(Hook):
    """Notes the metrics of every validation, and how often its beginning and end were told."""

    def __init__(self):
        self.metrics, self.told = [], []

    def before_val(self, runner):
        self.told.append('before')

    def after_val_epoch(self, runner, metrics=None):
        self.metrics.append(metrics)

    def after_val(self, runner):
        self.told.append('after')


def validating(toy_data, work_dir, iters=5, custom_hooks=(), **val_cfg):
    """A run that validates after every iteration."""
    cfg = toy.config(toy_data, work_dir, 1, iters, save_every=1)
    cfg.train_cfg.update(val_begin=1, val_interval=1)
    cfg.val_cfg.update(val_cfg)
    cfg.custom_hooks.extend([*custom_hooks, dict(type='ValidationsHook')])
    return cfg


def train(cfg):
    runner = toy.train(cfg)
    return runner, next(hook for hook in runner.hooks if isinstance(hook, ValidationsHook))


def sources_of(metrics):
    return {key.split('/')[0] for key in metrics}


def test_a_source_may_be_validated_less_often_but_at_the_end(toy_data, tmp_path):
    _, seen = train(validating(toy_data, tmp_path / 'a', intervals=dict(boxes=2, maps=3)))
    due = [sources_of(metrics) for metrics in seen.metrics]
    every = {'photos', 'boxes', 'maps'}
    assert due == [{'photos'}, {'photos', 'boxes'}, {'photos', 'maps'}, {'photos', 'boxes'}, every]
    assert seen.told == ['before', 'after'] * 5
    # Resumed before the third validation, it goes on counting.
    cfg = validating(toy_data, tmp_path / 'a', intervals=dict(boxes=2, maps=3))
    cfg.update(resume=True, load_from=str(tmp_path / 'a' / 'iter_2.pth'))
    _, again = train(cfg)
    assert [sources_of(metrics) for metrics in again.metrics] == due[1:]
    assert again.metrics[-1] == seen.metrics[-1]


def test_a_validation_by_itself_has_every_source(toy_data, tmp_path):
    runner = Runner.from_cfg(toy.config(toy_data, tmp_path, **{'val_cfg.intervals': dict(boxes=9)}))
    assert sources_of(runner.val()) == {'photos', 'boxes', 'maps'}


@pytest.mark.parametrize('intervals, message', [
    (dict(photos=2, boxes=2, maps=3), 'leaves no source for every validation'),
    (dict(cats=2), "val_cfg.intervals names the source 'cats'; those with data are boxes, maps, photos"),
    (dict(maps=0), 'val_cfg.intervals.maps=0 must be a positive integer'),
])
def test_intervals_that_cannot_be(intervals, message, toy_data, tmp_path):
    with pytest.raises(ValueError, match=message):
        build(toy.config(toy_data, tmp_path, **{'val_cfg.intervals': intervals}))


def test_the_best_of_a_source_that_is_not_always_due(toy_data, tmp_path):
    cfg = validating(toy_data, tmp_path, iters=3, intervals=dict(maps=2))
    cfg.default_hooks.checkpoint.save_best = ['maps/mIoU', 'photos/accuracy/top1']
    runner, seen = train(cfg)
    found = {i: metrics['maps/mIoU'] for i, metrics in enumerate(seen.metrics, 1) if 'maps/mIoU' in metrics}
    assert list(found) == [2, 3]
    best = max(found, key=found.get)  # the first of equal ones
    assert [p.name for p in tmp_path.glob('best_maps*')] == [f'best_maps_mIoU_iter_{best}.pth']
    assert runner.message_hub.get_info('best_score_maps/mIoU') == found[best]


def test_a_best_metric_that_is_not_there_is_named(toy_data, tmp_path):
    cfg = validating(toy_data, tmp_path, iters=2)
    cfg.default_hooks.checkpoint.save_best = 'maps/mIuO'
    cfg.default_hooks.checkpoint.rule = 'greater'
    with pytest.raises(KeyError, match="There is no metric 'maps/mIuO'. This evaluation found .*maps/mIoU"):
        train(cfg)


def test_delta_mtl_is_saved_as_the_best_when_all_that_counts_was_validated(toy_data, tmp_path):
    baselines = {'photos/accuracy/top1': 50.0, 'maps/mIoU': 40.0}
    (tmp_path / 'single.json').write_text(json.dumps(baselines))
    score = dict(baselines=str(tmp_path / 'single.json'))
    cfg = validating(toy_data, tmp_path, iters=3, intervals=dict(maps=2), delta_mtl=score)
    cfg.default_hooks.checkpoint.update(save_best='delta_mtl', rule='greater')
    runner, seen = train(cfg)
    assert ['delta_mtl' in metrics for metrics in seen.metrics] == [False, True, True]
    scores = {}
    for i, metrics in enumerate(seen.metrics[1:], 2):
        scores[i] = 100 * sum((metrics[key] - value) / value for key, value in baselines.items()) / 2
        assert metrics['delta_mtl'] == pytest.approx(scores[i], rel=1e-12)
    best = max(scores, key=scores.get)
    assert [p.name for p in tmp_path.glob('best_*')] == [f'best_delta_mtl_iter_{best}.pth']
    assert runner.message_hub.get_scalar('val/delta_mtl').current() == seen.metrics[-1]['delta_mtl']


WEIGHT = 'branches.photos.head.fc.weight'


@pytest.fixture
def averaging(toy_data, tmp_path):
    """A run with averaged weights that is validated at its third iteration, when they are not the last ones."""
    cfg = validating(toy_data, tmp_path, 3, [dict(type='EMAHook', momentum=0.5)])
    cfg.train_cfg.update(val_interval=3)
    return Runner.from_cfg(cfg)


def test_averaged_weights_are_validated_and_put_back_once(averaging):
    states = []
    ema = next(hook for hook in averaging.hooks if isinstance(hook, EMAHook))

    def spy(name):
        average = ema.ema_model.state_dict()[f'module.{WEIGHT}']
        states.append((name, averaging.model.state_dict()[WEIGHT].clone(), average.clone()))

    call, step = averaging.call_hook, averaging.model.val_step
    averaging.call_hook = lambda name, **kwargs: (name in ('before_val', 'after_val') and spy(name),
                                                  call(name, **kwargs))
    averaging.model.val_step = lambda data: (spy('step'), step(data))[1]
    averaging.train()
    assert [name for name, _, _ in states] == ['before_val'] + ['step'] * 10 + ['after_val']
    _, last, average = states[0]
    assert not torch.equal(last, average)
    for _, used, kept in states[1:-1]:
        assert torch.equal(used, average) and torch.equal(kept, last)
    assert torch.equal(states[-1][1], last) and torch.equal(states[-1][2], average)


def test_a_validation_that_breaks_off_leaves_the_model_as_it_was(averaging):
    seen, step = {}, averaging.model.val_step

    def fails(data):
        seen.update(weight=averaging.model.state_dict()[WEIGHT].clone(), training=averaging.model.training)
        raise RuntimeError('broken')

    averaging.model.val_step = lambda data: fails(data) if 'photos' in data else step(data)
    with pytest.raises(RuntimeError, match='broken'):
        averaging.train()
    assert averaging.iter == 3 and not seen['training'] and averaging.model.training
    ema = next(hook for hook in averaging.hooks if isinstance(hook, EMAHook)).ema_model.state_dict()
    assert torch.equal(ema[f'module.{WEIGHT}'], seen['weight'])
    assert not torch.equal(averaging.model.state_dict()[WEIGHT], seen['weight'])
    # The next one does not count what was predicted before the error.
    with pytest.raises(RuntimeError, match='broken'):
        averaging.val_loop.run()
    (metric, ) = averaging.val_loop.evaluations['boxes'].evaluator.metrics
    assert len(metric.results) == 5


def silent(metric):
    """A metric that computes nothing and does not say so."""
    metric.compute_metrics = lambda results: {}


def test_a_source_without_results_is_an_error(toy_data, tmp_path):
    runner, loop = build(toy.config(toy_data, tmp_path))
    silent(loop.evaluations['photos'].evaluator.metrics[0])
    with pytest.raises(ValueError, match="'photos': Accuracy gave no metric for 7 samples. Mend val_evaluator.photos"):
        loop.run()
    cfg = toy.config(toy_data, tmp_path)
    cfg.val_dataloader.maps.batch_sampler = dict(type='NoBatches')
    runner, loop = build(cfg)
    with pytest.raises(ValueError, match="'maps': val_dataloader.maps gave no batch, though its data set has 6"):
        loop.run()


@DATA_SAMPLERS.register_module()
class NoBatches:
    """A batch sampler that gives nothing of what it promises."""

    def __init__(self, sampler, batch_size):
        pass

    def __len__(self):
        return 3

    def __iter__(self):
        return iter(())


def test_a_detector_that_finds_nothing_yet_is_left_out_and_told(toy_data, tmp_path):
    cfg = validating(toy_data, tmp_path, iters=2)
    cfg.model.branches.boxes.model.test_cfg.score_thr = 1.0
    cfg.default_hooks.checkpoint.save_best = 'boxes/coco/bbox_mAP'
    runner, seen = train(cfg)
    assert [sources_of(metrics) for metrics in seen.metrics] == [{'photos', 'maps'}] * 2
    log = next(tmp_path.glob('*/*.log')).read_text()
    assert "Source 'boxes': nothing was found on any of 5 samples, and CocoMetric gives no metric then." in log
    assert not list(tmp_path.glob('best_*'))


def test_samples_that_a_loader_leaves_out_are_told(toy_data, tmp_path):
    _, loop = build(toy.config(toy_data, tmp_path, **{'val_dataloader.photos.drop_last': True}))
    loop.run()
    log = next(tmp_path.glob('*/*.log')).read_text()
    assert "Source 'photos': val_dataloader.photos gave 6 of the 7 samples of its data set" in log
