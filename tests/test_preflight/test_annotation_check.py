import logging
from unittest import mock

import pytest
from mmdet.datasets import CocoDataset, CocoPanopticDataset
from mmengine.dataset import RepeatDataset
from torch.utils.data import ConcatDataset

from xlearner_mm.preflight.annotation_check import annotation_findings

pytestmark = pytest.mark.compat


@pytest.fixture
def check(edit_boxes, build):
    """Spoil the annotations of the source ``boxes`` and look for it."""

    def _check(change, split='train', **settings):
        dataset, val = build(edit_boxes(change, split), **settings)
        return annotation_findings(dataset.sources, val)

    return _check


def test_right_annotations_pass(build, toy_data):
    dataset, val = build(toy_data)
    assert annotation_findings(dataset.sources, val) == []


def test_small_boxes_ignored_ones_and_ones_partly_outside_pass(check):
    def change(content):
        content['annotations'][0].update(bbox=[-10, 50, 40, 30])
        content['annotations'][1].update(bbox=[3, 3, 0.5, 0.5], area=0.25)
        content['annotations'][2].update(bbox=[3, 3, -5, 5], ignore=True)
        content['categories'].append(dict(id=9, name='unused'))
        content['annotations'][3].update(bbox=[3, 3, 0, 5], category_id=9)

    assert check(change) == []


def test_boxes_as_fractions_of_the_image(check):

    def as_fractions(content):
        for annotation in content['annotations']:
            annotation['bbox'] = [value / 64 for value in annotation['bbox']]

    (finding, ) = check(as_fractions)
    assert '5 annotations with a box of less than a pixel, e.g. annotation 0 of 0.png, bbox=[0.0625' in finding


KINDS = [
    (dict(image_id=77), 'the id of no image, e.g. annotation 1 of no image, image_id=77'),
    (dict(category_id=7), 'the id of no category, e.g. annotation 1 of 1.png, category_id=7'),
    (dict(bbox=[float('nan'), 6, 40, 30]), 'a box that is not 4 finite numbers, e.g. annotation 1 of 1.png, '
     'bbox=[nan, 6, 40, 30]'),
    (dict(bbox=[50, 6, -4, 3]), 'a box of negative width or height, e.g. annotation 1 of 1.png, bbox=[50, 6, -4, 3]'),
    (dict(bbox=[5, 6, 40, 0]), 'a box of width or height 0, e.g. annotation 1 of 1.png, bbox=[5, 6, 40, 0]'),
    (dict(bbox=[64, 6, 40, 30]), 'a box outside of the image, e.g. annotation 1 of 1.png, bbox=[64, 6, 40, 30]'),
    (dict(bbox=[5, -30, 40, 30]), 'a box outside of the image, e.g. annotation 1 of 1.png, bbox=[5, -30, 40, 30]'),
    (dict(area=0), 'an area of 0 or less, e.g. annotation 1 of 1.png, area=0'),
]


@pytest.mark.parametrize('fault, text', KINDS)
def test_an_annotation_that_is_lost(fault, text, check, own_data):
    (finding, ) = check(lambda content: content['annotations'][1].update(fault))
    assert finding == (f"Source 'boxes', {own_data}/boxes/train.json: 1 annotation with {text}. They would be dropped "
                       'or train wrongly. Mend them in the file, or take them out.')


def test_a_line_a_kind_and_each_annotation_in_one(check):
    def change(content):
        for annotation in content['annotations'][:3]:
            annotation.update(bbox=[500, 6, -4, 30])
        content['annotations'][3].update(bbox=[500, 6, 4, 30])

    assert [f.split('.json: ')[1].split(', e.g. ')[0] for f in check(change)] == [
        '3 annotations with a box of negative width or height', '1 annotation with a box outside of the image'
    ]


def test_a_few_boxes_without_area_in_a_large_file_are_a_warning(check):
    def change(content):
        content['annotations'] += [dict(content['annotations'][0], id=100 + i) for i in range(2000)]
        content['annotations'][1].update(bbox=[5, 6, 40, 0])
        content['annotations'][7].update(area=0)

    with mock.patch('xlearner_mm.preflight.annotation_check.print_log') as log:
        assert check(change) == []
    texts = [call.args[0] for call in log.call_args_list]
    assert ['a box of width or height 0, e.g.' in texts[0], 'an area of 0 or less, e.g.' in texts[1]] == [True, True]
    assert texts[0].startswith("Preflight: Source 'boxes', ") and texts[0].endswith(' mmdet drops them.')
    assert log.call_args.kwargs == dict(logger='current', level=logging.WARNING)


def test_classes_that_are_no_categories(check):
    (finding, ) = check(lambda content: content['categories'][0].update(name='Cat'))
    assert ("1 of the 2 classes in metainfo.classes are no categories of the file, e.g. 'a'; the file has 'Cat', 'b'."
            ) in finding


@pytest.mark.parametrize('split', ['train', 'val'])
def test_categories_in_another_order(split, check):
    (finding, ) = check(lambda content: content['categories'].reverse(), split)
    assert f'{split}.json: its categories come in another order than metainfo.classes: label 0 is ' in finding
    assert "'b' in the file and 'a' in metainfo.classes. mmdet.CocoDataset numbers" in finding
    assert "Mend metainfo.classes: ('b', 'a')." in finding


def test_two_categories_of_one_name(check):
    (finding, ) = check(lambda content: content['categories'].append(dict(id=3, name='b')))
    assert '3 categories have the 2 names of metainfo.classes' in finding


def test_boxes_of_validation_are_left_alone(check):
    assert check(lambda content: content['annotations'][1].update(bbox=[64, 6, 40, 30]), 'val') == []


def test_images_that_hide_each_other(check):
    (finding, ) = check(lambda content: content['images'][2].update(file_name='0.png'))
    assert '1 file names are those of more than one image, e.g. 0.png: each would be drawn' in finding
    (first, second) = check(lambda content: content['images'][2].update(file_name='2.png', id=1))
    assert '1 image ids are those of more than one image, e.g. 1: only the last' in first
    assert '1 annotation with the id of no image, e.g. annotation 2 of no image, image_id=2.' in second


def test_inside_of_wrappers(edit_boxes, build):
    dataset, _ = build(edit_boxes(lambda content: content['annotations'][1].update(area=-1)))
    wrapped = ConcatDataset([RepeatDataset(dataset.sources['boxes'], 3)])
    (finding, ) = annotation_findings(dict(boxes=wrapped), {})
    assert 'an area of 0 or less' in finding


def test_subclasses_and_those_read_later(edit_boxes):
    class Own(CocoDataset):
        METAINFO = dict(classes=('a', 'b'))

    root = edit_boxes(lambda content: content['annotations'][1].update(area=-1))
    dataset = Own(ann_file=str(root / 'boxes/train.json'), lazy_init=True, pipeline=[],
                  data_prefix=dict(img='x'))
    assert len(annotation_findings(dict(boxes=dataset), {})) == 1


def test_segments_of_panoptic_data(edit_boxes):
    def change(content):
        for category in content['categories']:
            category['isthing'] = 1
        content['annotations'] = [
            dict(image_id=i, file_name=f'{i}.png',
                 segments_info=[dict(id=7 + i, category_id=1, bbox=[4, 6, -4 if i == 1 else 4, 30], area=9, iscrowd=0)])
            for i in range(5)
        ]

    path = str(edit_boxes(change) / 'boxes/train.json')
    dataset = CocoPanopticDataset(ann_file=path, metainfo=dict(classes=('a', 'b')), pipeline=[],
                                  data_prefix=dict(img='x', seg='y'))
    (finding, ) = annotation_findings(dict(boxes=dataset), {})
    assert '1 annotation with a box of negative width or height, e.g. annotation 8 of 1.png' in finding
