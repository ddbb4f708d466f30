import pytest
import torch
from mmengine.config import ConfigDict
from mmengine.evaluator import Evaluator
from mmengine.registry import DATASETS, METRICS
from mmengine.runner import Runner

import toy

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
