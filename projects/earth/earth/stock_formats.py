"""Write and read samples as mmpretrain, mmseg and mmdet know them, one folder a split.

=====  ==========================================  ==========================
task   files in ``<source>/<split>/``              stock data set
=====  ==========================================  ==========================
cls    ``<class>/<name>.png``                      mmpretrain.CustomDataset
seg    ``img_dir/<name>.png ann_dir/<name>.png``   mmseg.BaseSegDataset
det    ``images/<name>.png annotations.json``      mmdet.CocoDataset
=====  ==========================================  ==========================
"""

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from earth.object_cutter import Box
from earth.sources import Sample
from earth.splits import SPLITS

Counts = dict[str, dict[str, int]]


def _save(image: np.ndarray, path: Path) -> None:
    Image.fromarray(np.ascontiguousarray(image)).save(path)


def write_classification(samples: Iterable[Sample], folder: Path, classes: Sequence[str]) -> Counts:
    """Write class folders; every split gets a folder for every class, as mmpretrain numbers classes by folders.

    Returns:
        dict: For each split ``'images'`` and the number of images of each class.
    """
    counts = {split: Counter({'images': 0, **dict.fromkeys(classes, 0)}) for split in SPLITS}
    for split in SPLITS:
        for name in classes:
            (folder / split / name).mkdir(parents=True)
    for sample in samples:
        _save(sample.image, folder / sample.split / sample.target / f'{sample.name}.png')
        counts[sample.split].update(['images', sample.target])
    return {split: dict(count) for split, count in counts.items()}


def write_segmentation(samples: Iterable[Sample], folder: Path, classes: Sequence[str]) -> Counts:
    """Write images and label maps.

    Returns:
        dict: For each split ``'images'`` and the number of labelled pixels of each class.
    """
    pixels = {split: np.zeros(len(classes), np.int64) for split in SPLITS}
    images: Counter = Counter()
    for split in SPLITS:
        for kind in ('img_dir', 'ann_dir'):
            (folder / split / kind).mkdir(parents=True)
    for sample in samples:
        _save(sample.image, folder / sample.split / 'img_dir' / f'{sample.name}.png')
        _save(sample.target, folder / sample.split / 'ann_dir' / f'{sample.name}.png')
        images[sample.split] += 1
        pixels[sample.split] += np.bincount(sample.target.ravel(), minlength=len(classes))
    return {split: {'images': images[split], **dict(zip(classes, pixels[split].tolist(), strict=True))}
            for split in SPLITS}


def _coco_annotation(box: Box, image_id: int, annotation_id: int) -> dict:
    x1, y1, x2, y2 = box.corners
    return dict(id=annotation_id, image_id=image_id, category_id=box.label + 1, area=round(box.area, 2),
                bbox=[round(value, 2) for value in (x1, y1, x2 - x1, y2 - y1)], iscrowd=int(box.ignore))


def write_detection(samples: Iterable[Sample], folder: Path, classes: Sequence[str]) -> Counts:
    """Write images and one COCO file a split; ignore regions are crowds, which mmdet and pycocotools ignore.

    Returns:
        dict: For each split ``'images'``, the number of boxes of each class, and ``'ignored'``.
    """
    categories = [dict(id=number, name=name) for number, name in enumerate(classes, start=1)]
    tables = {split: dict(images=[], annotations=[], categories=categories) for split in SPLITS}
    counts = {split: Counter({'images': 0, **dict.fromkeys(classes, 0), 'ignored': 0}) for split in SPLITS}
    for split in SPLITS:
        (folder / split / 'images').mkdir(parents=True)
    for sample in samples:
        images, annotations = tables[sample.split]['images'], tables[sample.split]['annotations']
        height, width = sample.image.shape[:2]
        images.append(dict(id=len(images) + 1, file_name=f'{sample.name}.png', height=height, width=width))
        _save(sample.image, folder / sample.split / 'images' / f'{sample.name}.png')
        for box in sample.target:
            annotations.append(_coco_annotation(box, len(images), len(annotations) + 1))
            counts[sample.split]['ignored' if box.ignore else classes[box.label]] += 1
        counts[sample.split]['images'] += 1
    for split, table in tables.items():
        (folder / split / 'annotations.json').write_text(json.dumps(table))
    return {split: dict(count) for split, count in counts.items()}


WRITERS = dict(cls=write_classification, seg=write_segmentation, det=write_detection)


def read_classification(folder: Path) -> list[tuple[Path, str]]:
    """Images of one split's folder with their class names, sorted by class and name."""
    return [(path, path.parent.name) for path in sorted(folder.glob('*/*.png'))]


def read_segmentation(folder: Path) -> list[tuple[Path, Path]]:
    """Images of one split's folder with their label maps, sorted by name."""
    return [(path, folder / 'ann_dir' / path.name) for path in sorted((folder / 'img_dir').glob('*.png'))]


def read_detection(folder: Path) -> dict:
    """COCO table of one split's folder."""
    return json.loads((folder / 'annotations.json').read_text())
