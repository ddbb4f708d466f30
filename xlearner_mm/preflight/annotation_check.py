"""What mmdet's COCO reader drops or renames without a word."""

import logging
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
from mmdet.datasets import CocoDataset
from mmengine.logging import print_log

from xlearner_mm.datasets.stock_sets import classes_of, leaves

from .coco_file import CocoFile

TOLERATED_SHARE = 1e-3
"""Boxes without an area are an error if more than this share has none: a few of COCO's own have none."""
TOLERATED_SMALL_SHARE = 0.5
"""Boxes of less than a pixel are an error if more than this share is: then they are fractions of the image."""


class _Fault(NamedTuple):
    """A kind of fault: the key of an annotation that shows it, which have it ``(N, )``, what share is no error."""

    kind: str
    key: str
    having: np.ndarray
    tolerated: float = 0.0


def annotation_findings(datasets: Mapping[str, Any], val_datasets: Mapping[str, Any]) -> list[str]:
    """Find annotations of ``mmdet.CocoDataset`` that would be dropped, or get another class's name (ours).

    In validation data only the names are looked at.

    Args:
        datasets (Mapping[str, Dataset]): Stock training data set by source.
        val_datasets (Mapping[str, Dataset]): Stock validation data set by source.

    Returns:
        list[str]: What is wrong, one for each kind of fault and file.
    """
    findings = []
    for splits, with_boxes in ((datasets, True), (val_datasets, False)):
        for source, dataset in splits.items():
            for leaf in leaves(dataset):
                if isinstance(leaf, CocoDataset) and leaf.ann_file:
                    leaf.full_init()
                    where = f'Source {source!r}, {leaf.ann_file}: '
                    findings += [where + text for text in _file_findings(where, leaf, with_boxes)]
    return findings


def _file_findings(where: str, dataset: CocoDataset, with_boxes: bool) -> Iterator[str]:
    file = CocoFile.of(dataset)
    yield from _name_findings(file, dataset)
    if with_boxes:
        yield from _image_findings(file)
        yield from _annotation_findings(where, file, dataset)


def _name_findings(file: CocoFile, dataset: CocoDataset) -> Iterator[str]:
    """Compare the names that the data set gives to labels with those of the categories that it makes them of."""
    classes = classes_of(dataset) or ()
    missing = [name for name in classes if name not in file.names.values()]
    if missing:
        yield (f'{len(missing)} of the {len(classes)} classes in metainfo.classes are no categories of the file, e.g. '
               f'{missing[0]!r}; the file has {", ".join(map(repr, list(file.names.values())[:5]))}'
               f'{", ..." if len(file.names) > 5 else ""}. They would have no boxes, and the labels after them other '
               'names. Mend metainfo.classes of the data set.')
        return
    # The reader numbers labels in the order of the file, whatever the order of metainfo.classes.
    labels = [str(file.names.get(category)) for category in dataset.cat_ids]
    for label, (name, category) in enumerate(zip(classes, labels, strict=False)):
        if name != category:
            yield (f'its categories come in another order than metainfo.classes: label {label} is {category!r} in the '
                   f'file and {name!r} in metainfo.classes. mmdet.{type(dataset).__name__} numbers labels as the file '
                   f'does, so classes would get wrong names. Mend metainfo.classes: {_shortened(labels)}.')
            return
    if len(labels) > len(classes):
        yield (f'{len(labels)} categories have the {len(classes)} names of metainfo.classes, so some names stand twice '
               'and labels go beyond the classes. Mend the names of its categories.')


def _image_findings(file: CocoFile) -> Iterator[str]:
    """Find images that hide each other."""
    names = Counter(file.image_name(i) for i in range(len(file.images)))
    doubles = [name for name, count in names.items() if count > 1]
    if doubles:
        yield (f'{len(doubles):,} file names are those of more than one image, e.g. {doubles[0]}: each would be drawn '
               'several times, with a part of its boxes. Mend the images of the file.')
    ids = Counter(image.get('id') for image in file.images)
    double_ids = [key for key, count in ids.items() if count > 1]
    if double_ids:
        yield (f'{len(double_ids):,} image ids are those of more than one image, e.g. {double_ids[0]!r}: only the last '
               'of them would be used, with the boxes of all. Mend the ids in the file.')


def _annotation_findings(where: str, file: CocoFile, dataset: CocoDataset) -> Iterator[str]:
    """Find annotations that are lost; each counts once, for the first of its faults."""
    wanted = set(dataset.cat_ids)
    used = np.fromiter((a.get('category_id') in wanted and not a.get('ignore', False) for a in file.annotations), bool,
                       len(file.annotations))
    left = np.ones(len(file.annotations), bool)
    for fault in _faults(file, used):
        found = np.flatnonzero(fault.having & left)
        left &= ~fault.having
        if not found.size:
            continue
        first = file.annotations[found[0]]
        image = file.image_name(file.image_of[found[0]])
        text = (f'{found.size:,} annotation{"s" if found.size > 1 else ""} with {fault.kind}, e.g. annotation '
                f'{first.get("id")!r} of {image}, {fault.key}={first.get(fault.key)!r}.')
        if found.size <= fault.tolerated * used.sum():
            print_log(f'Preflight: {where}{text} mmdet drops them.', logger='current', level=logging.WARNING)
        else:
            yield f'{text} They would be dropped or train wrongly. Mend them in the file, or take them out.'


def _faults(file: CocoFile, used: np.ndarray) -> Iterator[_Fault]:
    x, y, width, height = file.boxes.T
    inside = (x < file.sizes[:, 0]) & (y < file.sizes[:, 1]) & (x + width > 0) & (y + height > 0)
    sized = np.isfinite(file.sizes).all(axis=1)
    yield _Fault('the id of no image', 'image_id', file.image_of < 0)
    yield _Fault('the id of no category', 'category_id', ~file.known)
    yield _Fault('a box that is not 4 finite numbers', 'bbox', used & ~np.isfinite(file.boxes).all(axis=1))
    yield _Fault('a box of negative width or height', 'bbox', used & ((width < 0) | (height < 0)))
    yield _Fault('a box of width or height 0', 'bbox', used & ((width == 0) | (height == 0)), TOLERATED_SHARE)
    yield _Fault('a box outside of the image', 'bbox', used & sized & ~inside)
    yield _Fault('an area of 0 or less', 'area', used & (file.areas <= 0), TOLERATED_SHARE)
    yield _Fault('a box of less than a pixel', 'bbox', used & ((width < 1) | (height < 1)), TOLERATED_SMALL_SHARE)


def _shortened(names: list[str]) -> str:
    return f'({", ".join(map(repr, names[:8]))}{", ..." if len(names) > 8 else ""})'
