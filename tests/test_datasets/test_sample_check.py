import random

import numpy as np
import pytest
import torch
from mmengine.dataset import Compose
from mmengine.registry import DATASETS
from mmengine.structures import BaseDataElement, InstanceData
from PIL import Image

from xlearner_mm.datasets import MultiSourceDataset, SampleKey, check_complete
from xlearner_mm.datasets.sample_check import check_boxes, check_sizes

pytestmark = pytest.mark.compat

NAN, INF = float('nan'), float('inf')
HEIGHT, WIDTH = 48, 64


@pytest.fixture(scope='module')
def image(tmp_path_factory):
    """Path of an image of 48x64 (height x width)."""
    return save(tmp_path_factory.mktemp('image') / 'image.png', (HEIGHT, WIDTH, 3))


def check(sample, info):
    """As the data set does it."""
    path = info.get('seg_map_path')
    check_sizes(sample, (info.get('height'), info.get('width')), path, check_complete(path) if path else b'')
    check_boxes(sample)


def save(path, shape, high=255):
    Image.fromarray(np.random.default_rng(0).integers(0, high, shape, dtype=np.uint8)).save(path)
    return str(path)


def det(image, boxes, *steps, ignored=(), **info):
    """Run a stock pipeline of mmdet; give the sample and what is known of it."""
    info = dict(dict(img_path=image, img_id=0, height=HEIGHT, width=WIDTH), **info)
    instances = [dict(bbox=box, bbox_label=0, ignore_flag=int(i in ignored)) for i, box in enumerate(boxes)]
    pipeline = Compose([
        dict(type='LoadImageFromFile'), dict(type='mmdet.LoadAnnotations', with_bbox=True), *steps,
        dict(type='mmdet.PackDetInputs', meta_keys=('ori_shape', 'img_shape'))])
    return pipeline(dict(info, instances=instances)), info


def seg(image, seg_map, *steps, **info):
    """Run a stock pipeline of mmseg; give the sample and what is known of it."""
    info = dict(img_path=image, seg_map_path=seg_map, **info)
    pipeline = Compose([
        dict(type='LoadImageFromFile'), dict(type='mmseg.LoadAnnotations'), *steps,
        dict(type='mmseg.PackSegInputs', meta_keys=('ori_shape', 'img_shape'))])
    return pipeline(dict(info, seg_fields=[], label_map=None, reduce_zero_label=False)), info


@pytest.mark.parametrize('box', [
    [NAN, 1, 9, 9], [1, 1, 9, NAN], [1, 1, INF, 9], [-INF, 1, 9, 9], [5, 5, 5, 9], [5, 9, 9, 9], [9, 5, 5, 9],
    [5, 9, 9, 5], [64, 5, 80, 9], [5, 48, 9, 60], [-9, 5, 0, 9], [5, -9, 9, 0]
])
def test_broken_boxes_that_the_stock_pipeline_passes_on(image, box):
    sample, info = det(image, [[2, 2, 9, 9], box])
    assert len(sample['data_samples'].gt_instances.bboxes) == 2
    written = r'\[' + ', '.join(str(float(value)) for value in box).replace('.', r'\.') + r'\]'
    with pytest.raises(ValueError, match=rf'its box {written} \(x1, y1, x2, y2\) is empty, not finite or outside of '
                       r'the image of 48x64 \(height x width\); if its augmentations make it so, let mmdet\.Filter'):
        check(sample, info)


@pytest.mark.parametrize('box', [[-9, -9, 90, 90], [63.5, 47.5, 64, 48], [0, 0, 64, 48], [-5, -5, 0.5, 0.5],
                                 [1, 1, 1.001, 2]])
@pytest.mark.parametrize('step', [None, dict(type='mmdet.Resize', scale=(32, 24)),
                                  dict(type='mmdet.RandomFlip', prob=1.0), dict(type='mmdet.Pad', size=(64, 64))])
def test_boxes_over_the_border_and_small_ones_pass(image, box, step):
    check(*det(image, [box], *([step] if step else [])))


def test_crowds_and_images_without_boxes_pass(image):
    # Ignored regions may be anything: no loss reads their sides.
    check(*det(image, [[2, 2, 9, 9], [70, 0, 80, 9], [5, 5, 5, 5]], ignored=(1, 2)))
    check(*det(image, []))
    with pytest.raises(ValueError, match=r'its box \[5\.0, 5\.0, 5\.0, 5\.0\]'):
        check(*det(image, [[2, 2, 9, 9], [70, 0, 80, 9], [5, 5, 5, 5]], ignored=(1, )))


def rotated(values):
    data = BaseDataElement(metainfo=dict(ori_shape=(HEIGHT, WIDTH)))
    data.gt_instances = InstanceData(bboxes=torch.tensor(values))
    return dict(inputs=torch.zeros(3, HEIGHT, WIDTH), data_samples=data)


def test_rotated_boxes_are_left_alone():
    check(rotated([[30., 20., 4., 9., -0.7]]), {})  # centre, sides, angle
    check(rotated([[1., 1., 9., 2., 7., 8., 0., 6.]]), {})  # corners
    with pytest.raises(ValueError, match=r'its box \[30\.0, 20\.0, 4\.0, 9\.0\]'):
        check(rotated([[30., 20., 4., 9.]]), {})


AUGMENTATIONS = dict(
    crop=[dict(type='mmdet.RandomCrop', crop_size=(20, 20)), dict(type='mmdet.FilterAnnotations')],
    crop_alone=[dict(type='mmdet.RandomCrop', crop_size=(20, 20), allow_negative_crop=True)],
    affine=[dict(type='mmdet.RandomAffine')],
    ssd=[dict(type='mmdet.Expand'), dict(type='mmdet.MinIoURandomCrop')],
    shift=[dict(type='mmdet.RandomShift')],
    tiny=[dict(type='mmdet.Resize', scale=(8, 6))],
    moved=[dict(type='mmdet.TranslateX', prob=1.0, level=10, max_mag=.9),
           dict(type='mmdet.FilterAnnotations', min_gt_bbox_wh=(1e-2, 1e-2))],
    turned=[dict(type='mmdet.Rotate', prob=1.0, level=10, max_mag=90.),
            dict(type='mmdet.FilterAnnotations', min_gt_bbox_wh=(1e-2, 1e-2))])


@pytest.mark.parametrize('name', AUGMENTATIONS)
def test_no_false_alarm_after_augmentations(image, name):
    passed = 0
    for seed in range(25):
        random.seed(seed)
        np.random.seed(seed)
        corners = np.random.rand(5, 2) * (WIDTH - 2, HEIGHT - 2)
        boxes = np.hstack([corners, np.minimum(corners + 1 + np.random.rand(5, 2) * 30, (WIDTH, HEIGHT))]).tolist()
        sample, info = det(image, boxes, *AUGMENTATIONS[name])
        if sample is not None:
            check(sample, info)
            passed += 1
    assert passed > 10


def test_what_moves_boxes_out_is_to_be_followed_by_a_filter(image):
    step = dict(type='mmdet.TranslateX', prob=1.0, level=10, max_mag=0.9)
    with pytest.raises(ValueError, match=r'let mmdet\.FilterAnnotations follow them'):
        for _ in range(20):
            check(*det(image, [[2, 2, 9, 9], [50, 2, 60, 9]], step))


def test_no_false_alarm_on_the_toy_data(stock):
    dataset = MultiSourceDataset(stock)
    for source, size in dataset.sizes.items():
        for index in range(size):
            sample = dataset[SampleKey(source, 0, index, 0)]
            assert 'skipped' not in sample['data_samples']
            check(sample, dataset.sources[source].get_data_info(index))


def test_no_false_alarm_on_mixed_images(stock):
    inner = dict(stock['boxes']['dataset'])
    inner['pipeline'], packing = inner['pipeline'][:2], inner['pipeline'][-1]
    steps = [dict(type='Mosaic', img_scale=(64, 64)), dict(type='MixUp', img_scale=(64, 64)), packing]
    cfg = dict(type='MultiImageMixDataset', dataset=dict(inner, _scope_='mmdet'), pipeline=steps, _scope_='mmdet')
    dataset = MultiSourceDataset(dict(boxes=dict(task='det', dataset=DATASETS.build(cfg))))
    for index in range(5):
        sample = dataset[SampleKey('boxes', 0, index, 0)]['data_samples']
        assert len(sample.gt_instances) > 0 and 'dropped' not in sample


@pytest.mark.parametrize('said', [dict(height=WIDTH, width=HEIGHT), dict(height=47), dict(width=640)])
def test_an_image_of_another_size_than_its_annotation_says(image, said):
    size = rf"{said.get('height', HEIGHT)}x{said.get('width', WIDTH)}"
    with pytest.raises(ValueError, match=rf'its image has 48x64 pixels \(height x width\) and its annotation says '
                       rf'{size}: boxes and masks would lie elsewhere'):
        check(*det(image, [[2, 2, 9, 9]], dict(type='mmdet.Resize', scale=(32, 32)), **said))


def test_a_size_that_is_not_said_is_not_compared(image):
    for said in (dict(height=None), dict(width=None), dict(height=None, width=None)):
        check(*det(image, [[2, 2, 9, 9]], **said))


@pytest.mark.parametrize('shape', [(24, 32), (64, 48), (48, 63)])
def test_a_map_of_another_size_than_its_image(image, tmp_path, shape):
    seg_map = save(tmp_path / 'map.png', shape, high=4)
    sizes = rf'its image has 48x64 pixels \(height x width\) and its map of classes {shape[0]}x{shape[1]}: they do not'
    for steps in ([], [dict(type='mmseg.Resize', scale=(32, 32), keep_ratio=False)]):
        with pytest.raises(ValueError, match=sizes):
            check(*seg(image, seg_map, *steps))


def test_a_map_of_colours(image, tmp_path):
    sample, info = seg(image, save(tmp_path / 'map.png', (HEIGHT, WIDTH, 3)))
    with pytest.raises(ValueError, match=r'map of classes has the shape \(48, 64, 3\) instead of \(1, H, W\): it must '
                       'be an image of one channel whose values are class indices, not colours'):
        check(sample, info)


@pytest.mark.parametrize('mode, largest, name', [(np.uint16, 260, 'map.png'), (np.int32, 70000, 'map.tiff')])
def test_a_map_whose_values_do_not_fit(image, tmp_path, mode, largest, name):
    pixels, path = np.full((HEIGHT, WIDTH), 255, mode), str(tmp_path / name)
    Image.fromarray(pixels).save(path)
    check(*seg(image, path))
    pixels[0, 0] = largest
    Image.fromarray(pixels).save(path)
    sample, info = seg(image, path)
    assert sample['data_samples'].gt_sem_seg.data[0, 0, 0] == largest % 256  # that is what mmseg makes of it
    with pytest.raises(ValueError, match=f'its map of classes holds the value {largest}, and class indices are read as '
                       f'8 bits: it would become {largest % 256}'):
        check(sample, info)


def test_boxes_may_be_left_out(image):
    sample, _ = det(image, [[70, 0, 80, 9]])
    # For validation: there stock pipelines keep the boxes of the image before it is resized.
    check_sizes(sample, (HEIGHT, WIDTH))


def test_maps_that_fit_pass(image, tmp_path):
    seg_map = save(tmp_path / 'map.png', (HEIGHT, WIDTH), high=4)
    crop = dict(type='mmseg.RandomCrop', crop_size=(20, 24))
    for steps in ([], [crop], [dict(type='mmseg.RandomResize', scale=(64, 48), ratio_range=(0.5, 2.0)), crop]):
        check(*seg(image, seg_map, *steps))
    palette = Image.fromarray(np.zeros((HEIGHT, WIDTH), np.uint8), 'P')
    palette.putpalette([9, 8, 7] * 256)
    palette.save(tmp_path / 'palette.png')
    check(*seg(image, str(tmp_path / 'palette.png')))


def test_a_map_that_only_the_loader_can_read_is_not_compared(image, tmp_path):
    sample, info = seg(image, save(tmp_path / 'map.png', (HEIGHT, WIDTH), high=4))
    (tmp_path / 'map.npy').write_bytes(b'no image')
    for path in (tmp_path / 'map.npy', tmp_path / 'missing.png', 's3://bucket/map.png'):
        check(sample, dict(info, seg_map_path=str(path)))


@pytest.mark.parametrize('sample', [None, 7, {}, dict(inputs=1, data_samples=[]), dict(data_samples=BaseDataElement())])
def test_what_is_no_packed_sample_is_left_to_others(sample):
    check(sample, dict(height=1, width=1))
