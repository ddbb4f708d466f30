"""What needs no learning: the trivial baselines of the demo's table, from the prepared files.

Each figure has the key and the scale of the stock metric that it stands beside: mmpretrain's Accuracy and mmseg's
IoUMetric count in percent, mmdet's CocoMetric in fractions.
"""

import contextlib
import io
from collections import Counter
from pathlib import Path

import numpy as np
from PIL import Image

from earth.sources import SOURCES
from earth.stock_formats import read_classification, read_detection, read_segmentation

MAX_DETECTIONS = 100  # an image: what COCO's AP looks at


def majority_accuracy(folder: Path, train: str = 'train', val: str = 'val') -> dict[str, float]:
    """Top-1 accuracy in percent of always answering train's most frequent class.

    Args:
        folder (Path): Folder of a classification source.
        train (str): Split that the class is taken from.
        val (str): Split that it is judged on.
    """
    majority = Counter(name for _, name in read_classification(folder / train)).most_common(1)[0][0]
    names = [name for _, name in read_classification(folder / val)]
    return {'accuracy/top1': 100 * names.count(majority) / len(names)}


def _pixel_counts(folder: Path, num_classes: int) -> np.ndarray:
    counts = np.zeros(num_classes, np.int64)
    for _, path in read_segmentation(folder):
        with Image.open(path) as labels:
            counts += np.bincount(np.asarray(labels).ravel(), minlength=num_classes)
    return counts


def majority_segmentation(folder: Path, num_classes: int, train: str = 'train', val: str = 'val') -> dict[str, float]:
    """Pixel accuracy and mean IoU in percent of painting everything with train's most frequent class.

    As mmseg counts: a class that is in the labels and never predicted has IoU 0; a class that is in neither is left
    out of the mean.

    Args:
        folder (Path): Folder of a segmentation source.
        num_classes (int): Number of classes.
        train (str): Split that the class is taken from.
        val (str): Split that it is judged on.
    """
    majority = int(_pixel_counts(folder / train, num_classes).argmax())
    counts = _pixel_counts(folder / val, num_classes)
    accuracy = counts[majority] / counts.sum()
    judged = np.count_nonzero(counts) + (counts[majority] == 0)
    return {'aAcc': 100 * float(accuracy), 'mIoU': 100 * float(accuracy / judged)}


def _grid_boxes(width: int, height: int, box_width: float, box_height: float) -> list[list[float]]:
    """Boxes ``[x, y, w, h]`` of one size, side by side over an image; at most `MAX_DETECTIONS`, evenly spread."""
    columns, rows = max(round(width / box_width), 1), max(round(height / box_height), 1)
    shrink = max(columns * rows / MAX_DETECTIONS, 1) ** 0.5
    columns, rows = max(int(columns / shrink), 1), max(int(rows / shrink), 1)
    return [[(column + 0.5) * width / columns - box_width / 2, (row + 0.5) * height / rows - box_height / 2,
             box_width, box_height] for row in range(rows) for column in range(columns)]


def constant_boxes(folder: Path, train: str = 'train', val: str = 'val') -> dict[str, float]:
    """COCO AP of the same grid of boxes in every image, for each class of the mean size that it has in train.

    Args:
        folder (Path): Folder of a detection source.
        train (str): Split that the sizes are taken from.
        val (str): Split that the boxes are judged on.
    """
    # Here, not above: everything else of this package runs without it.
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    table, detections = read_detection(folder / train), []
    with contextlib.redirect_stdout(io.StringIO()):  # pycocotools prints
        truth = COCO(folder / val / 'annotations.json')
        for category in table['categories']:
            sizes = [annotation['bbox'][2:] for annotation in table['annotations']
                     if annotation['category_id'] == category['id'] and not annotation['iscrowd']]
            for image in truth.dataset['images']:
                boxes = _grid_boxes(image['width'], image['height'], *np.mean(sizes, axis=0).tolist())
                detections += [dict(image_id=image['id'], category_id=category['id'], bbox=box, score=1.0)
                               for box in boxes]
        evaluation = COCOeval(truth, truth.loadRes(detections), 'bbox')
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return {'coco/bbox_mAP': float(evaluation.stats[0]), 'coco/bbox_mAP_50': float(evaluation.stats[1])}


def trivial_baseline(root: Path, source: str, train: str = 'train', val: str = 'val') -> dict[str, float]:
    """Trivial figures of a source, keyed as its stock metric keys them.

    Args:
        root (Path): Data root.
        source (str): Name of the source.
        train (str): ``'train'``, or ``'transfer_train'`` for a transfer.
        val (str): ``'val'``, or ``'transfer_val'`` for a transfer.
    """
    task, folder = SOURCES[source].task, Path(root) / source
    if task == 'cls':
        return majority_accuracy(folder, train, val)
    if task == 'seg':
        return majority_segmentation(folder, len(SOURCES[source].classes), train, val)
    return constant_boxes(folder, train, val)
