import numpy as np
import pytest
import torch
from mmengine.config import ConfigDict
from mmengine.evaluator import Evaluator
from mmengine.registry import DATASETS, METRICS
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
