import mmcv
import numpy as np
import pytest
import torch
from mmengine.registry import INFERENCERS

from xlearner_mm.apis import XLearnerInferencer
from xlearner_mm.models import Phase

pytestmark = pytest.mark.compat


@pytest.fixture(scope='module')
def inferencers(validated):
    return {phase: XLearnerInferencer(path, device='cpu') for phase, path in validated.checkpoints.items()}


def tensors_of(sample):
    if 'pred_score' in sample:
        return [sample.pred_score, sample.pred_label]
    if 'pred_instances' in sample:
        return [sample.pred_instances.bboxes, sample.pred_instances.scores, sample.pred_instances.labels]
    return [sample.seg_logits.data, sample.pred_sem_seg.data]


@pytest.mark.parametrize('phase', ['expansion', 'squeeze'])
def test_predictions_are_those_of_the_validation_without_its_data_sets(phase, validated, inferencers):
    assert inferencers[phase].phase is Phase[phase.upper()]
    for source, images in validated.images.items():
        found = inferencers[phase](images, return_datasamples=True, batch_size=2, sources=[source])
        assert list(found['predictions']) == [source] and found['visualization'] is None
        samples = found['predictions'][source]
        assert [sample.img_path for sample in samples] == images
        for sample, expected in zip(samples, validated.predictions[phase][source]):
            assert type(sample) is type(expected)
            for one, two in zip(tensors_of(sample), tensors_of(expected)):
                assert torch.equal(one, two) and one.numel()
    other = dict(expansion='squeeze', squeeze='expansion')[phase]
    assert not torch.equal(tensors_of(samples[0])[0], tensors_of(validated.predictions[other][source][0])[0])


def test_every_source_predicts_every_image(validated, inferencers):
    images = [validated.images['boxes'][0], mmcv.imread(validated.images['maps'][1])]
    found = inferencers['squeeze'](images, return_vis=True, pred_score_thr=0)
    predictions = found['predictions']
    assert {source: [list(plain) for plain in plains] for source, plains in predictions.items()} == dict(
        boxes=[['objects']] * 2, maps=[['areas', 'map']] * 2, photos=[['classes']] * 2)
    assert [c['name'] for c in predictions['photos'][0]['classes']] != ['class0', 'class1', 'class2']  # by score
    assert {c['name'] for c in predictions['photos'][0]['classes']} == {'class0', 'class1', 'class2'}
    assert {o['name'] for o in predictions['boxes'][0]['objects']} <= {'a', 'b'}
    assert np.array_equal(predictions['maps'][1]['map'],
                          validated.predictions['squeeze']['maps'][1].pred_sem_seg.data[0].numpy())
    pictures = found['visualization']
    assert {picture.dtype.name for drawn in pictures.values() for picture in drawn} == {'uint8'}
    assert [picture.shape for picture in pictures['maps']] == [(64, 64, 3)] * 2
    plain = mmcv.imread(images[0], channel_order='rgb')
    assert not np.array_equal(pictures['boxes'][0], plain)
    nothing = inferencers['squeeze'](images[0], sources=['boxes'], return_vis=True, pred_score_thr=1)
    assert np.array_equal(nothing['visualization']['boxes'][0], plain)


def test_a_folder_and_an_array_are_images(validated, inferencers):
    images = validated.images['photos']
    folder = images[0].rsplit('/', 1)[0]
    options = dict(sources=['photos'], return_datasamples=True)
    arrays = inferencers['squeeze']([mmcv.imread(path) for path in sorted(images)], **options)['predictions']['photos']
    found = inferencers['squeeze'](folder, **options)['predictions']['photos']
    assert [sample.img_path for sample in found] == sorted(images) and 'img_path' not in arrays[0]
    assert all(torch.equal(a.pred_score, b.pred_score) for a, b in zip(found, arrays))


def test_what_cannot_be_predicted_is_named(validated, inferencers, tmp_path):
    inferencer, image = inferencers['squeeze'], validated.images['maps'][0]
    with pytest.raises(ValueError, match="There is no source 'cats', 'dogs' in the checkpoint; it has boxes, maps, ph"):
        inferencer(image, sources=['maps', 'cats', 'dogs'])
    with pytest.raises(ValueError, match='device=\'cuda:0\': there is no GPU'):
        XLearnerInferencer(validated.checkpoints['squeeze'], device='cuda:0')
    loaded = torch.load(validated.checkpoints['squeeze'], weights_only=False)
    loaded['meta']['cfg'] = loaded['meta']['cfg'].replace('val_dataloader', 'other_dataloader')
    loaded['meta'].pop('dataset_meta')
    torch.save(loaded, tmp_path / 'no_pipeline.pth')
    inferencer = XLearnerInferencer(tmp_path / 'no_pipeline.pth')
    with pytest.raises(ValueError, match="no pipeline for images of source 'boxes': test_dataloader and val_dataload"):
        inferencer(image)
    assert inferencer.classes['boxes'] == ('class 0', 'class 1')  # the checkpoint knew no names
    loaded['meta'].pop('cfg')
    torch.save(loaded, tmp_path / 'no_config.pth')
    with pytest.raises(ValueError, match='no_config.pth is no checkpoint of a training run'):
        XLearnerInferencer(tmp_path / 'no_config.pth')


def test_is_built_as_others_are(validated):
    built = INFERENCERS.build(dict(type='xlearner_mm.XLearnerInferencer', checkpoint=validated.checkpoints['squeeze']))
    assert isinstance(built, XLearnerInferencer)
