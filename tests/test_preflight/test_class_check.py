import copy
import shutil
from types import SimpleNamespace

import pytest
from mmdet.models import RPN, RPNHead
from mmengine.config import ConfigDict
from mmengine.registry import MODELS
from mmseg.models import FCNHead
from torch import nn

from tiny import two_stage_detector
from xlearner_mm.preflight.class_check import _heads_of, class_findings
from xlearner_mm.utils import with_scope

pytestmark = pytest.mark.compat


def findings(model, dataset, val=None):
    return class_findings(model, dataset.sources, val or {})


def test_agreeing_classes_pass(model, build, toy_data):
    dataset, val = build(toy_data)
    assert findings(model(), dataset, val) == []


def test_a_head_with_another_number_of_classes(model, build, toy_data):
    net = model()
    net.branches['boxes'].bbox_head.num_classes = 80
    (finding, ) = findings(net, build(toy_data)[0])
    assert finding == ("Source 'boxes': FCOSHead of model.branches.boxes.model has num_classes=80; its data has 2: "
                       "'a', 'b'. Mend num_classes of the head, or metainfo.classes of "
                       'train_dataloader.dataset.sources.boxes.dataset.')


def test_a_head_of_the_squeeze(model, build, toy_data):
    net = model()
    net.squeeze.branches['photos'] = copy.deepcopy(net.branches['photos'])
    net.squeeze.branches['photos'].head.num_classes = 9
    (finding, ) = findings(net, build(toy_data)[0])
    assert 'LinearClsHead of model.squeeze.branches.photos has num_classes=9; its data has 3' in finding


def test_data_without_classes_and_models_without_a_class_head_pass(model, build, toy_data):
    dataset, _ = build(toy_data, train=dict(maps=dict(metainfo=None)))
    net = model()
    net.branches['maps'].decode_head.num_classes = 19
    del net.branches['photos'].head.num_classes
    assert findings(net, dataset) == []


def test_a_region_proposal_head_has_one_class_for_all(model, build, toy_data):
    net = model()
    head = RPNHead.__new__(RPNHead)
    nn.Module.__init__(head)
    head.num_classes = 1
    net.branches['boxes'].bbox_head = head
    assert findings(net, build(toy_data)[0]) == []
    rpn = RPN.__new__(RPN)
    nn.Module.__init__(rpn)
    rpn.bbox_head = nn.Identity()
    rpn.bbox_head.num_classes = 1
    assert _heads_of(rpn) == []


def test_every_stage_of_a_cascade(model, build, toy_data):
    net = model()
    net.branches['boxes'] = MODELS.build(ConfigDict(with_scope(two_stage_detector())))
    stages = nn.ModuleList(copy.deepcopy(net.branches['boxes'].roi_head.bbox_head) for _ in range(3))
    stages[0].num_classes = 7
    net.branches['boxes'].roi_head.bbox_head = stages
    (finding, ) = findings(net, build(toy_data)[0])
    assert 'Shared2FCBBoxHead of model.branches.boxes.model has num_classes=7' in finding


def binary(num_classes, out_channels):
    return FCNHead(in_channels=8, channels=8, num_convs=1, num_classes=num_classes, out_channels=out_channels,
                   threshold=0.3, norm_cfg=None)


@pytest.mark.parametrize('num_classes, classes, fits', [(2, 2, True), (2, 1, False), (1, 2, True), (1, 1, True),
                                                        (2, 3, False)])
def test_one_channel_for_two_classes(num_classes, classes, fits, model):
    net = model()
    net.branches['maps'].decode_head = binary(num_classes, 1)
    data = SimpleNamespace(metainfo=dict(classes=tuple('abc'[:classes])))
    assert (class_findings(net, dict(maps=data), {}) == []) is fits


@pytest.mark.parametrize('num_classes, fits', [(3, True), (2, True), (1, False)])
def test_boxes_of_panoptic_data_are_of_things(num_classes, fits, model):
    net = model()
    net.branches['boxes'].bbox_head.num_classes = num_classes
    data = SimpleNamespace(metainfo=dict(classes=('a', 'b', 'sky'), thing_classes=('a', 'b')))
    assert (class_findings(net, dict(boxes=data), {}) == []) is fits
    net.branches['boxes'].bbox_head.num_stuff_classes = 1
    assert (class_findings(net, dict(boxes=data), {}) == []) is (num_classes == 3)


def test_classes_in_another_order_in_validation(model, build, toy_data):
    dataset, val = build(toy_data, val=dict(maps=dict(metainfo=dict(classes=('w', 'y', 'x', 'z')))))
    (finding, ) = findings(model(), dataset, val)
    assert finding.startswith("Source 'maps': its training data has 4 classes, its validation data 4: 'x' against 'y' "
                              'at label 1.')


def test_a_class_that_validation_lacks(model, build, own_data):
    shutil.rmtree(own_data / 'photos/val/class2')
    (finding, ) = findings(model(), *build(own_data))
    assert "its training data has 3 classes, its validation data 2: 'class2' against nothing at label 2." in finding


def test_other_folders_under_the_same_names(model, build, own_data):
    (own_data / 'photos/val/class1').rename(own_data / 'photos/val/class9')
    metainfo = dict(metainfo=dict(classes=('x', 'y', 'z')))
    (finding, ) = findings(model(), *build(own_data, dict(photos=metainfo), dict(photos=metainfo)))
    assert "folders, and those of training and validation differ: 'class1' against 'class2' at label 1." in finding


def test_names_in_another_order_than_the_folders(model, build, toy_data):
    dataset, _ = build(toy_data, dict(photos=dict(metainfo=dict(classes=('class0', 'class2', 'class1')))))
    (finding, ) = findings(model(), dataset)
    assert finding.startswith("Source 'photos': metainfo.classes of train_dataloader.dataset.sources.photos.dataset "
                              "and its folders come in another order: 'class2' against 'class1' at label 1.")


def test_a_string_in_place_of_names(model, build, toy_data):
    dataset, val = build(toy_data)
    val['boxes'] = SimpleNamespace(metainfo=dict(classes='car'))
    texts = findings(model(), dataset, val)
    assert texts[0].startswith("Source 'boxes': metainfo.classes of val_dataloader.boxes.dataset is the string 'car'")
    assert "Mend it: classes=('car', )." in texts[0]


def test_reduce_zero_label_in_one_of_the_two(model, build, toy_data):
    (finding, ) = findings(model(), *build(toy_data, val=dict(maps=dict(reduce_zero_label=True))))
    assert finding.startswith("Source 'maps': reduce_zero_label is False in training and True in validation")
