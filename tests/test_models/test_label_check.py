import pytest
import torch
from mmengine.config import ConfigDict
from mmengine.optim import OptimWrapper
from mmengine.registry import MODELS
from mmpretrain.structures import DataSample, MultiTaskDataSample
from torch import nn

from tiny import batch, classifier, detector, segmentor, two_stage_detector, xlearner
from xlearner_mm.models.branch import build_branch, class_head_of
from xlearner_mm.models.label_check import check_annotations, check_labels

pytestmark = pytest.mark.compat

MODELS_OF = dict(photos=classifier, boxes=detector, maps=segmentor)


def model_of(source):
    return build_branch(source, ConfigDict(MODELS_OF[source]()))


@pytest.mark.parametrize('source', MODELS_OF)
def test_labels_in_range_pass(source):
    check_labels(source, batch(source)['data_samples'], model_of(source))


def spoil(source, sample, value):
    if source == 'photos':
        sample.set_gt_label(value)
    elif source == 'boxes':
        sample.gt_instances.labels[0] = value
    else:
        sample.gt_sem_seg.data[0, 0, 0] = value


@pytest.mark.parametrize('source, value, last', [('photos', 3, 2), ('photos', -1, 2), ('boxes', 2, 1), ('maps', 4, 3),
                                                 ('maps', 254, 3)])
def test_labels_out_of_range_are_named(source, value, last):
    samples = batch(source)['data_samples']
    spoil(source, samples[1], value)
    with pytest.raises(ValueError, match=rf"Source '{source}': label {value} of {source}.png is outside 0\.\.{last}"):
        check_labels(source, samples, model_of(source))


def test_ignored_labels_and_unknown_heads_pass():
    samples = batch('maps')['data_samples']
    samples[0].gt_sem_seg.data.fill_(255)
    check_labels('maps', samples, model_of('maps'))
    check_labels('photos', batch('photos')['data_samples'], nn.Linear(1, 1))
    empty = batch('boxes')['data_samples']
    empty[0].gt_instances = empty[0].gt_instances[torch.zeros(2, dtype=torch.bool)]
    check_labels('boxes', empty, model_of('boxes'))


def test_a_proposal_network_takes_every_class():
    cfg = two_stage_detector()
    del cfg['roi_head'], cfg['train_cfg']['rcnn'], cfg['test_cfg']['rcnn']
    model = build_branch('boxes', ConfigDict(cfg, type='mmdet.RPN'))
    assert class_head_of(model).num_classes == 1
    samples = batch('boxes')['data_samples']
    assert samples[0].gt_instances.labels.tolist() == [0, 1]
    check_labels('boxes', samples, model)


@pytest.mark.parametrize('source, field, missing', [
    ('photos', 'gt_label', 'gt_label'),
    ('boxes', 'gt_instances', 'gt_instances.labels, gt_instances.bboxes'),
    ('maps', 'gt_sem_seg', 'gt_sem_seg'),
])
def test_samples_without_labels_are_named(source, field, missing):
    samples = batch(source)['data_samples']
    check_annotations(source, samples, model_of(source))
    delattr(samples[1], field)
    check_labels(source, samples, model_of(source))  # in validation a sample need not have any
    with pytest.raises(ValueError, match=f"'{source}': the sample of {source}.png, a .*DataSample, has no {missing}, "
                                         'which its .* trains on. Mend the pipeline of the source: load it'):
        check_annotations(source, samples, model_of(source))


def test_boxes_without_their_class_and_samples_of_another_library_are_named():
    samples = batch('boxes')['data_samples']
    del samples[0].gt_instances.bboxes
    with pytest.raises(ValueError, match='has no gt_instances.bboxes, which its FCOS trains on'):
        check_annotations('boxes', samples, model_of('boxes'))
    with pytest.raises(ValueError, match="'maps': the sample of boxes.png, a DetDataSample, has no gt_sem_seg"):
        check_annotations('maps', samples, model_of('maps'))
    check_annotations('boxes', samples, nn.Linear(1, 1))


def attributes(**labels):
    """A photograph with a label for some attributes."""
    sample = MultiTaskDataSample(metainfo=dict(img_path='a.png', source='photos', task='cls'))
    for name, label in labels.items():
        sample.set_field(DataSample() if label is None else DataSample().set_gt_label(label), name)
    return sample


def attribute_classifier():
    heads = dict(colour=dict(type='LinearClsHead', num_classes=3), shape=dict(type='LinearClsHead', num_classes=2))
    return dict(classifier(), head=dict(type='mmpretrain.MultiTaskHead', in_channels=64, task_heads=heads))


def test_a_classifier_of_several_attributes_trains_on_those_that_a_sample_has():
    model = MODELS.build(xlearner(squeeze=None, branches=dict(photos=dict(task='cls', model=attribute_classifier()))))
    inputs = batch('photos')['inputs']
    optim = OptimWrapper(torch.optim.SGD(model.parameters(), lr=0.1))
    data = dict(photos=dict(inputs=inputs, data_samples=[attributes(colour=2, shape=1), attributes(colour=0)]))
    logged = model.train_step(data, optim)
    assert {'photos.colour_loss', 'photos.shape_loss'} <= set(logged)
    (predicted, ) = model.eval().val_step(dict(photos=dict(inputs=inputs[:1], data_samples=[attributes(colour=2)])))
    assert predicted.colour.pred_score.shape == (3, )


@pytest.mark.parametrize(('sample', 'message'), [
    (attributes(), 'has no label of any task'),
    (attributes(colour=1, shape=None), 'has no shape.gt_label'),
    (attributes(colour=1, shape=2), r'label 2 of a.png is outside 0\.\.1, the classes of its LinearClsHead'),
])
def test_labels_of_attributes_are_checked_one_by_one(sample, message):
    with pytest.raises(ValueError, match=message):
        check_annotations('photos', [sample], build_branch('photos', ConfigDict(attribute_classifier())))
