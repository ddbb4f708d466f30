import numpy as np
import pytest
import torch
from mmdet.structures import DetDataSample
from mmengine.structures import BaseDataElement, InstanceData, PixelData
from mmpretrain.structures import DataSample
from mmseg.structures import SegDataSample

from xlearner_mm.apis.prediction_visualizer import LEGIBLE, PredictionVisualizer

pytestmark = pytest.mark.compat

IMAGE = np.full((300, 400, 3), (200, 100, 50), np.uint8)
PALETTE = [[255, 0, 0], [0, 0, 255]]


@pytest.fixture
def visualizer():
    return PredictionVisualizer('source', ('one', 'two'), PALETTE)


def detected(*scores):
    boxes = torch.tensor([[100., 150., 200., 250.]] * len(scores))
    return DetDataSample(pred_instances=InstanceData(
        bboxes=boxes, labels=torch.ones(len(scores), dtype=torch.long), scores=torch.tensor(scores)))


def test_a_box_has_the_colour_of_its_class_and_its_score_decides(visualizer):
    drawn = visualizer.draw(IMAGE[..., ::-1][..., ::-1], detected(0.5))  # not contiguous
    assert drawn[200, 100, 2] > 200 and drawn[200, 100, 0] < 100  # blue, as RGB has it
    assert np.array_equal(drawn[280, 300], IMAGE[0, 0])
    assert np.array_equal(visualizer.draw(IMAGE, detected(0.5), score_thr=0.6), IMAGE)


def test_an_area_has_the_colour_of_its_class(visualizer):
    labels = torch.zeros(1, 300, 400, dtype=torch.long)
    labels[..., 200:] = 1
    drawn = visualizer.draw(IMAGE, SegDataSample(pred_sem_seg=PixelData(data=labels)))
    assert np.abs(drawn[290, 10] - (0.2 * IMAGE[0, 0] + 0.8 * np.array(PALETTE[0]))).max() <= 1
    assert np.abs(drawn[290, 390] - (0.2 * IMAGE[0, 0] + 0.8 * np.array(PALETTE[1]))).max() <= 1


def test_a_class_is_written_where_there_is_room(visualizer):
    sample = DataSample().set_pred_score(torch.tensor([0.2, 0.8])).set_pred_label(1)
    drawn = visualizer.draw(IMAGE, sample)
    assert drawn.shape == IMAGE.shape and np.array_equal(drawn[200:], IMAGE[200:])
    assert not np.array_equal(drawn[:100], IMAGE[:100])
    assert visualizer.draw(IMAGE[:28, :56], sample).shape == (LEGIBLE, 2 * LEGIBLE, 3)


@pytest.mark.parametrize('palette', [None, [[1, 2, 3]]])
def test_colours_that_are_missing_are_drawn(palette):
    labels = torch.ones(1, 300, 400, dtype=torch.long)
    sample = SegDataSample(pred_sem_seg=PixelData(data=labels))
    drawn = [PredictionVisualizer('source', ('one', 'two'), palette).draw(IMAGE, sample) for _ in range(2)]
    assert np.array_equal(*drawn) and not np.array_equal(drawn[0], IMAGE)


def test_a_source_without_classes():
    visualizer = PredictionVisualizer('source', (), None)
    depth = SegDataSample(pred_depth_map=PixelData(data=torch.rand(1, 300, 400)))
    drawn = visualizer.draw(IMAGE, depth)
    assert drawn.shape == (600, 400, 3) and np.array_equal(drawn[:300], IMAGE)
    assert not np.array_equal(visualizer.draw(IMAGE, detected(0.5)), IMAGE)


def test_other_samples_are_refused(visualizer):
    with pytest.raises(TypeError, match="'source': there is no visualizer for BaseDataElement"):
        visualizer.draw(IMAGE, BaseDataElement())
