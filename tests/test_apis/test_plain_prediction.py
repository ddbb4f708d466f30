import json

import numpy as np
import pytest
import torch
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData, PixelData
from mmpretrain.structures import DataSample
from mmseg.structures import SegDataSample
from pycocotools import mask as coco_mask

from xlearner_mm.apis.plain_prediction import plain_prediction

pytestmark = pytest.mark.compat

NAMES = ('sky', 'tree', 'road')


def test_classes_by_score():
    sample = DataSample().set_pred_score(torch.tensor([0.125, 0.625, 0.25])).set_pred_label(1)
    assert plain_prediction(sample, NAMES) == dict(classes=[
        dict(label=1, name='tree', score=0.625), dict(label=2, name='road', score=0.25),
        dict(label=0, name='sky', score=0.125)])
    sample = DataSample().set_pred_score(torch.arange(9.))
    assert [c['name'] for c in plain_prediction(sample, NAMES)['classes']] == [f'class {i}' for i in range(8, 3, -1)]


def test_objects_by_score():
    masks = np.zeros((2, 4, 6), bool)
    masks[0, 1:3, 2:5] = True
    instances = InstanceData(labels=torch.tensor([2, 0]), scores=torch.tensor([0.25, 0.5]),
                             bboxes=torch.tensor([[0., 1., 2., 3.], [4., 5., 6., 7.]]), masks=torch.from_numpy(masks))
    plain = plain_prediction(DetDataSample(pred_instances=instances), NAMES)
    one, two = json.loads(json.dumps(plain))['objects']
    assert (one['name'], one['score'], one['box']) == ('sky', 0.5, [4, 5, 6, 7])
    assert (two['label'], two['name'], two['box']) == (2, 'road', [0, 1, 2, 3])
    assert np.array_equal(coco_mask.decode(two['mask']), masks[0])
    del instances.masks
    assert 'mask' not in plain_prediction(DetDataSample(pred_instances=instances), NAMES)['objects'][0]


def test_areas_by_share_and_their_map():
    labels = torch.tensor([[[0, 1, 1], [1, 2, 1]]])
    plain = plain_prediction(SegDataSample(pred_sem_seg=PixelData(data=labels)), NAMES)
    assert np.array_equal(plain.pop('map'), labels[0])
    assert [(a['name'], a['share']) for a in plain['areas']] == [('tree', 4 / 6), ('sky', 1 / 6), ('road', 1 / 6)]


def test_areas_of_a_panoptic_prediction_have_ids():
    ids = torch.tensor([[[1, 1001, 1001, 0]]])
    plain = plain_prediction(DetDataSample(pred_panoptic_seg=PixelData(sem_seg=ids)), NAMES)
    assert np.array_equal(plain['map'], ids[0])
    assert [(a['id'], a['name'], a['share']) for a in plain['areas']] == [
        (1001, 'tree', 0.5), (0, 'sky', 0.25), (1, 'tree', 0.25)]


def test_depth_and_its_map():
    plain = plain_prediction(SegDataSample(pred_depth_map=PixelData(data=torch.tensor([[[1., 2.], [3., 6.]]]))), ())
    assert plain['depth'] == dict(min=1, mean=3, max=6) and plain['map'].shape == (2, 2)


def test_what_has_no_plain_form_is_named():
    with pytest.raises(TypeError, match='SegDataSample with nothing has no plain form'):
        plain_prediction(SegDataSample(), NAMES)
