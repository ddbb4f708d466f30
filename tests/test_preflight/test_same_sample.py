import copy

import numpy as np
import pytest
import torch
from mmdet.structures.mask import BitmapMasks, PolygonMasks

from tiny import batch
from xlearner_mm.preflight.same_sample import same_sample

pytestmark = pytest.mark.compat


@pytest.mark.parametrize('source', ['photos', 'boxes', 'maps'])
def test_stock_samples(source):
    first, second = batch(source), batch(source)
    assert same_sample(first, second)
    second['inputs'][1][0, 0, 0] += 1
    assert not same_sample(first, second)
    second = batch(source)
    second['data_samples'][1].set_metainfo(dict(flip=True))
    assert not same_sample(first, second)


def test_labels_and_masks():
    first = batch('boxes')['data_samples'][0]
    first.gt_instances.masks = BitmapMasks(np.zeros((2, 4, 4), np.uint8), 4, 4)
    second = copy.deepcopy(first)
    assert same_sample(first, second)
    second.gt_instances.masks.masks[1, 2, 2] = 1
    assert not same_sample(first, second)
    polygons = [[np.array([0., 0, 1, 0, 1, 1])]]
    assert same_sample(PolygonMasks(polygons, 4, 4), PolygonMasks(copy.deepcopy(polygons), 4, 4))
    assert not same_sample(PolygonMasks(polygons, 4, 4), PolygonMasks([[polygons[0][0] + 1]], 4, 4))


@pytest.mark.parametrize('first, second, same', [
    (float('nan'), float('nan'), True), (1, 1.0, False), ([1], [1, 2], False), (dict(a=1), dict(b=1), False),
    (torch.zeros(2), torch.zeros(3), False), (torch.tensor([float('nan')]), torch.tensor([float('nan')]), True),
    (np.array(['a']), np.array(['a']), True), (int, float, False), (None, None, True), ('a', 'b', False)])
def test_values(first, second, same):
    assert same_sample(first, second) is same
