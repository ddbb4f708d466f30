import json
import shutil

import pytest
import torch
from mmdet.evaluation import CocoMetric, CrowdHumanMetric
from mmengine.evaluator import Evaluator
from mmengine.runner import Runner

import toy
from xlearner_mm.engine.first_samples import FirstSamples, measure_only

pytestmark = pytest.mark.compat

LIMITS = dict(photos=4, boxes=2, maps=5)
FIRST = dict(photos='0361', boxes='01', maps='01234')  # names of their files, in the order of the data sets


def build(root, work_dir, max_samples=None):
    toy.clear_mmengine()
    cfg = toy.config(root, work_dir, randomness=dict(seed=6), **{'val_cfg.max_samples': max_samples})
    runner = Runner.from_cfg(cfg)
    # Boxes of about the size of the true ones: some are found.
    torch.nn.init.constant_(runner.model.branches['boxes'].bbox_head.conv_reg.bias, 2.9)
    return runner.build_val_loop(cfg.val_cfg)


def test_metrics_are_those_of_data_without_the_others(toy_data, tmp_path):
    less = shutil.copytree(toy_data, tmp_path / 'less')
    for source, kept in FIRST.items():
        for path in (less / source).glob('**/val/**/*.png'):
            if path.stem not in kept:
                path.unlink()
    content = json.loads((less / 'boxes/val.json').read_text())
    content['images'] = [image for image in content['images'] if image['id'] < LIMITS['boxes']]
    content['annotations'] = [a for a in content['annotations'] if a['image_id'] < LIMITS['boxes']]
    (less / 'boxes/val.json').write_text(json.dumps(content))
    loop = build(toy_data, tmp_path / 'a', LIMITS)
    found = loop.run()
    assert found == build(less, tmp_path / 'b').run()
    assert found['boxes/coco/bbox_mAP_50'] > 0.1
    every = build(toy_data, tmp_path / 'c').run()
    assert all(every[key] != found[key] for key in ('boxes/coco/bbox_mAP_50', 'maps/mIoU', 'photos/accuracy/top1'))
    assert loop.run() == found  # the metrics keep what they were told
    assert {source: len(dataset) for source, dataset in loop.datasets.items()} == toy.COUNTS


def test_more_than_there_are_is_all(toy_data, tmp_path):
    assert build(toy_data, tmp_path / 'a', dict(maps=500)).run() == build(toy_data, tmp_path / 'b').run()


@pytest.mark.parametrize('limits, error, message', [
    (dict(maps=0), ValueError, 'val_cfg.max_samples.maps=0 must be a positive integer'),
    (dict(cats=3), ValueError, "val_cfg.max_samples names the source 'cats'"),
    (3, TypeError, 'val_cfg.max_samples must be a dict with a key for each source'),
])
def test_limits_that_cannot_be(limits, error, message, toy_data, tmp_path):
    with pytest.raises(error, match=message):
        build(toy_data, tmp_path, limits)


def test_a_metric_that_would_count_all_images_is_refused(toy_data):
    evaluator = Evaluator(CrowdHumanMetric(ann_file='a.odgt'))
    with pytest.raises(ValueError, match="'boxes': CrowdHumanMetric reads the truth of all images .*max_samples.boxes"):
        measure_only('boxes', evaluator, FirstSamples([1, 2], 1))
    evaluator = Evaluator(CocoMetric(ann_file=str(toy_data / 'boxes/val.json')))
    with pytest.raises(ValueError, match="'boxes': CocoMetric must know .* its data set does not tell their img_id"):
        measure_only('boxes', evaluator, FirstSamples([1, 2], 1))


def test_there_are_no_others():
    samples = FirstSamples([5, 6, 7], 2)
    assert [samples[i] for i in range(len(samples))] == [5, 6]
    with pytest.raises(IndexError, match='Sample 2 is none of the first 2'):
        samples[2]
