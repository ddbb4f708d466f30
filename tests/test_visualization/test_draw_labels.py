import cv2
import numpy as np
import pytest
import torch
from mmdet.structures import DetDataSample
from mmdet.structures.bbox import HorizontalBoxes
from mmdet.structures.mask import BitmapMasks
from mmdet.visualization import DetLocalVisualizer
from mmengine.structures import BaseDataElement, InstanceData, PixelData
from mmengine.visualization import Visualizer
from mmpretrain.structures import DataSample
from mmseg.structures import SegDataSample
from mmseg.visualization import SegLocalVisualizer

from xlearner_mm.visualization import draw_labels

pytestmark = pytest.mark.compat

GREY = np.full((32, 48, 3), 120, np.uint8)
META = dict(classes=('cat', 'dog'), palette=[(255, 0, 0), (0, 0, 255)])
SCALE = 4
HEIGHT = SCALE * len(GREY)


def instances(boxes, labels, masks=None):
    data = InstanceData(bboxes=HorizontalBoxes(torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4)),
                        labels=torch.tensor(labels, dtype=torch.int64))
    if masks is not None:
        data.masks = masks
    return data


def changed(result, image=GREY):
    """Where a drawn image differs from the same one without labels ``(H, W)``."""
    return (result.image != draw_labels(image, BaseDataElement(), {}, HEIGHT).image).any(axis=-1)


def test_boxes_are_drawn_where_they_are_in_their_colours():
    sample = DetDataSample(gt_instances=instances([[8, 10, 40, 28]], [1]))
    result = draw_labels(GREY, sample, META, HEIGHT)
    assert result.image.shape == (128, 192, 3) and result.caption == ['1 box'] and result.colours == {}
    where = changed(result)
    rows, columns = np.flatnonzero(where.any(axis=1)), np.flatnonzero(where.any(axis=0))
    expected = np.array([8, 10, 40, 28]) * SCALE
    assert np.abs(np.array([columns[0], rows[0], columns[-1], rows[-1]]) - expected).max() <= 3
    assert not where[70:105, 100:150].any()  # inside, below the name
    red, _, blue = result.image[:, 8 * SCALE].astype(int)[80:100].mean(axis=0)
    assert blue > red + 60


def test_names_of_classes_are_drawn(monkeypatch):
    drawn = []
    monkeypatch.setattr(DetLocalVisualizer, 'draw_texts', lambda self, text, *args, **kwargs: drawn.append(text))
    sample = DetDataSample(gt_instances=instances([[8, 10, 40, 28], [1, 1, 9, 9]], [1, 0]),
                           ignored_instances=instances([[20, 2, 30, 9]], [0]))
    result = draw_labels(GREY, sample, META, HEIGHT)
    assert drawn == ['dog', 'cat', 'cat (ignored)'] and result.caption == ['2 boxes, 1 ignored']


def test_masks_are_drawn_and_scaled():
    mask = np.zeros((1, *GREY.shape[:2]), np.uint8)
    mask[0, 16:24, 20:30] = 1
    boxes = [[18, 14, 32, 26]]
    with_mask = draw_labels(GREY, DetDataSample(gt_instances=instances(boxes, [0], BitmapMasks(mask, *GREY.shape[:2]))),
                            META, HEIGHT)
    without = draw_labels(GREY, DetDataSample(gt_instances=instances(boxes, [0])), META, HEIGHT)
    assert (with_mask.image != without.image).any(axis=-1)[18 * SCALE:22 * SCALE, 24 * SCALE:28 * SCALE].all()


def test_an_image_without_boxes_says_so():
    result = draw_labels(GREY, DetDataSample(gt_instances=instances([], [])), META, HEIGHT)
    assert not changed(result).any() and result.caption == ['0 boxes']


def test_only_ignored_boxes():
    sample = DetDataSample(gt_instances=instances([], []), ignored_instances=instances([[8, 10, 40, 28]], [1]))
    result = draw_labels(GREY, sample, META, HEIGHT)
    assert changed(result).any() and result.caption == ['0 boxes, 1 ignored']


def test_a_palette_of_tuples_or_none_is_no_reason_to_fail():
    sample = DetDataSample(gt_instances=instances([[8, 10, 40, 28]], [1]))
    of_tuples = draw_labels(GREY, sample, dict(META, palette=tuple(META['palette'])), HEIGHT)
    assert (of_tuples.image == draw_labels(GREY, sample, META, HEIGHT).image).all()
    assert changed(draw_labels(GREY, sample, dict(classes=META['classes']), HEIGHT)).any()
    assert changed(draw_labels(GREY, sample, {}, HEIGHT)).any()


def seg(labels):
    return SegDataSample(gt_sem_seg=PixelData(data=torch.tensor(labels)[None]))


def test_a_map_lies_over_its_image_and_what_is_ignored_stays():
    labels = np.zeros(GREY.shape[:2], np.int64)
    labels[:, 16:] = 1
    labels[:, 40:] = 255
    result = draw_labels(GREY, seg(labels), META, HEIGHT)
    blend = [int(120 * (1 - 0.55) + 0.55 * value) for value in (255, 0)]
    assert result.image.shape == (128, 192, 3)
    # The figure that the library draws with rounds once more.
    red, blue = [blend[0], blend[1], blend[1]], [blend[1], blend[1], blend[0]]
    for columns, colour in ((slice(0, 64), red), (slice(64, 160), blue), (slice(160, 192), [120] * 3)):
        assert np.abs(result.image[:, columns].astype(int) - colour).max() <= 1
    assert result.caption == ['2 classes'] and result.colours == dict(dog=(0, 0, 255), cat=(255, 0, 0))


def test_labels_of_a_map_without_a_class_are_told():
    labels = np.full(GREY.shape[:2], 1)
    labels[:, :9] = 7
    result = draw_labels(GREY, seg(labels), META, HEIGHT)
    assert result.caption == ['1 class', 'no class: 7'] and not changed(result)[:, :9 * SCALE].any()


def test_a_map_of_ignored_pixels_only():
    result = draw_labels(GREY, seg(np.full(GREY.shape[:2], 255)), {}, HEIGHT)
    assert not changed(result).any() and result.caption == ['nothing but ignored pixels']


@pytest.mark.parametrize('metainfo, name', [(META, 'dog'), ({}, 'class 1')])
def test_the_class_of_an_image_is_written_into_it(metainfo, name):
    result = draw_labels(GREY, DataSample().set_gt_label(1), metainfo, HEIGHT)
    assert result.caption == [name] and changed(result)[:40].any() and not changed(result)[60:].any()


def test_a_long_name_is_made_to_fit():
    classes = ('a_name_of_a_class_that_is_longer_than_any_other_one', )
    result = draw_labels(GREY, DataSample().set_gt_label(0), dict(classes=classes), HEIGHT)
    columns = np.flatnonzero(changed(result).any(axis=0))
    assert columns[-1] < result.image.shape[1] - 2 and result.caption == list(classes)


def test_several_classes_of_an_image():
    assert draw_labels(GREY, DataSample().set_gt_label([0, 1]), META, HEIGHT).caption == ['cat, dog']


@pytest.mark.parametrize('sample', [BaseDataElement(), DetDataSample(), SegDataSample(), DataSample()])
def test_a_sample_without_labels_says_so(sample):
    result = draw_labels(GREY, sample, META, HEIGHT)
    assert result.caption == ['no label that can be drawn']
    assert (result.image == cv2.resize(GREY, (192, 128), interpolation=cv2.INTER_NEAREST)).all()


@pytest.mark.parametrize('sample, message', [
    (DetDataSample(gt_instances=instances([[1, 1, 9, 9]], [2])), 'its label 2 is not among the 2 classes'),
    (DataSample().set_gt_label(5), 'its label 5 is not among the 2 classes of the data set. Mend its annotations'),
    (DetDataSample(gt_instances=instances([[9, 1, 1, 9]], [0])),
     r'its box \[9.0, 1.0, 1.0, 9.0\] .* corners exchanged'),
    (DetDataSample(gt_instances=instances([[float('nan'), 1, 1, 9]], [0])), 'is not finite'),
    (seg(np.zeros((48, 32), np.int64)), r'its map is of \(48, 32\) pixels and its image of \(32, 48\)'),
])
def test_labels_that_cannot_be_right_are_refused(sample, message):
    with pytest.raises(ValueError, match=message):
        draw_labels(GREY, sample, META, HEIGHT)


def test_the_same_picture_each_time_and_nothing_global_changes(recwarn):
    mask = np.zeros((1, *GREY.shape[:2]), np.uint8)
    mask[0, 4:20, 4:20] = 1
    sample = DetDataSample(gt_instances=instances([[0, 0, 48, 32]], [0], BitmapMasks(mask, *GREY.shape[:2])))
    state = np.random.get_state()[1].copy()
    one, two = (draw_labels(GREY, sample, META, HEIGHT).image for _ in range(2))
    assert (one == two).all() and (np.random.get_state()[1] == state).all()
    for kind in (Visualizer, DetLocalVisualizer, SegLocalVisualizer):
        assert not kind._instance_dict
    assert not [w for w in recwarn if 'out of bounds' in str(w.message)]  # a box may touch the border
    assert sample.gt_instances.bboxes.tensor.tolist() == [[0, 0, 48, 32]]
