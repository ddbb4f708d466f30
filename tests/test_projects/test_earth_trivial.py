"""Trivial baselines of projects/earth against hand numbers and mmseg."""

import numpy as np
import pytest
import torch
from mmseg.evaluation.metrics import IoUMetric

from earth import trivial
from earth.object_cutter import Box
from earth.sources import Sample
from earth.stock_formats import WRITERS

pytestmark = pytest.mark.compat


def test_majority_accuracy_by_hand(tmp_path):
    image = np.zeros((2, 2), np.uint8)
    labels = dict(train='aab', val='abbbc')
    samples = [Sample(split, str(i), image, c) for split, text in labels.items() for i, c in enumerate(text)]
    WRITERS['cls'](samples, tmp_path, ('a', 'b', 'c'))
    assert trivial.majority_accuracy(tmp_path) == {'accuracy/top1': 20.0}


def test_majority_segmentation_by_hand(tmp_path):
    image = np.zeros((2, 2, 3), np.uint8)
    maps = dict(train=[[1, 1], [1, 0]], val=[[1, 0], [0, 2]], transfer_train=[[3, 3], [3, 3]])
    samples = [Sample(split, '0', image, np.array(labels, np.uint8)) for split, labels in maps.items()]
    WRITERS['seg'](samples, tmp_path, tuple('abcd'))
    # Everything is painted 1: IoU 1/4 for it, 0 for classes 0 and 2; class 3 is nowhere and not counted.
    assert trivial.majority_segmentation(tmp_path, 4) == pytest.approx({'aAcc': 25.0, 'mIoU': 25 / 3})
    # Painted 3, which val has not: IoU 0 for it too.
    assert trivial.majority_segmentation(tmp_path, 4, 'transfer_train', 'val') == {'aAcc': 0.0, 'mIoU': 0.0}


def test_majority_segmentation_equals_mmseg(tmp_path):
    labels = np.random.default_rng(0).integers(0, 4, (16, 16)).astype(np.uint8)
    samples = [Sample(split, '0', np.zeros((16, 16, 3), np.uint8), labels) for split in ('train', 'val')]
    WRITERS['seg'](samples, tmp_path, tuple('abcdef'))
    metric = IoUMetric()
    metric.dataset_meta = dict(classes=tuple('abcdef'))
    painted = torch.full((16, 16), int(np.bincount(labels.ravel()).argmax()))
    sample = dict(pred_sem_seg=dict(data=painted), gt_sem_seg=dict(data=torch.from_numpy(labels)))
    metric.process({}, [sample])
    theirs, ours = metric.compute_metrics(metric.results), trivial.majority_segmentation(tmp_path, 6)
    assert ours['mIoU'] == pytest.approx(theirs['mIoU'], abs=0.01)
    assert ours['aAcc'] == pytest.approx(theirs['aAcc'], abs=0.01)


def test_grid_boxes_fill_the_image_within_the_limit():
    boxes = trivial._grid_boxes(64, 32, 16, 16)
    assert len(boxes) == 8 and boxes[0] == [0, 0, 16, 16] and boxes[-1] == [48, 16, 16, 16]
    assert 80 < len(trivial._grid_boxes(64, 64, 3, 3)) <= trivial.MAX_DETECTIONS


def test_constant_boxes_by_hand(tmp_path):
    image = np.zeros((32, 32, 3), np.uint8)
    boxes = [Box((0, 0, 16, 16), 256, 0, False), Box((16, 0, 32, 32), 512, 0, True)]
    WRITERS['det']([Sample(split, '0', image, boxes) for split in ('train', 'val')], tmp_path, ('thing', ))
    # Four boxes of 16: the first hits, two lie in the ignore region and do not count, the last one is false.
    assert trivial.constant_boxes(tmp_path) == pytest.approx({'coco/bbox_mAP': 1.0, 'coco/bbox_mAP_50': 1.0})
    boxes[0] = Box((0, 16, 16, 32), 256, 0, False)
    WRITERS['det']([Sample('val', '0', image, boxes)], tmp_path / 'low', ('thing', ))
    (tmp_path / 'val').rename(tmp_path / 'unused')
    (tmp_path / 'low/val').rename(tmp_path / 'val')
    # The boxes are equally sure, so they keep their order: false, ignored, hit.
    assert trivial.constant_boxes(tmp_path)['coco/bbox_mAP_50'] == pytest.approx(0.5)
