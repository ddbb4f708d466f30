"""A COCO annotation file as arrays, so that a million annotations are checked in seconds."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from mmengine.fileio import load


class CocoFile:
    """What a COCO file says of images, boxes and categories (ours).

    The segments of a panoptic file count as annotations.

    Args:
        content (Mapping): What the JSON file holds.

    Attributes:
        images (list[dict]): The images.
        annotations (list[dict]): The annotations.
        names (dict): Name of a category by its id.
        image_of (ndarray): Position of each annotation's image in ``images``, ``(N, )``; -1 if there is none.
        known (ndarray): Whether each annotation's category exists, ``(N, )``.
        boxes (ndarray): Boxes as x, y, width, height, ``(N, 4)``; NaN where a box is none.
        areas (ndarray): Areas, ``(N, )``; NaN where there is none.
        sizes (ndarray): Width and height of each annotation's image, ``(N, 2)``; NaN where they are unknown.
    """

    def __init__(self, content: Mapping[str, Any]) -> None:
        self.images: list[dict[str, Any]] = content.get('images') or []
        self.annotations = [part for annotation in content.get('annotations') or [] for part in _parts(annotation)]
        self.names = {category.get('id'): category.get('name') for category in content.get('categories') or []}
        positions = {image.get('id'): i for i, image in enumerate(self.images)}
        count = len(self.annotations)
        self.image_of = np.fromiter((positions.get(a.get('image_id'), -1) for a in self.annotations), np.int64, count)
        self.known = np.fromiter((a.get('category_id') in self.names for a in self.annotations), bool, count)
        self.boxes = np.array([_box(a.get('bbox')) for a in self.annotations], np.float64).reshape(-1, 4)
        self.areas = np.fromiter((_number(a.get('area')) for a in self.annotations), np.float64, count)
        sizes = [(_number(image.get('width')), _number(image.get('height'))) for image in self.images]
        self.sizes = np.array([*sizes, (np.nan, np.nan)], np.float64)[self.image_of]

    @classmethod
    def of(cls, dataset: Any) -> 'CocoFile':
        """Read the file of a data set.

        Args:
            dataset (mmdet.CocoDataset): The data set.

        Returns:
            CocoFile: Its file.
        """
        return cls(load(dataset.ann_file, file_format='json', backend_args=dataset.backend_args))

    def image_name(self, image: int) -> str:
        """Name an image.

        Args:
            image (int): Its position in ``images``, or -1.

        Returns:
            str: Its file name (in LVIS its address), or what stands in its place.
        """
        if image < 0:
            return 'no image'
        return str(self.images[image].get('file_name') or self.images[image].get('coco_url') or 'no file name')


def _parts(annotation: dict[str, Any]) -> list[dict[str, Any]]:
    if 'segments_info' not in annotation:
        return [annotation]
    return [dict(segment, image_id=annotation.get('image_id')) for segment in annotation['segments_info']]


def _box(value: Any) -> tuple[float, ...]:
    if not isinstance(value, (list, tuple)) or len(value) != 4:
        return (np.nan, ) * 4
    return tuple(_number(v) for v in value)


def _number(value: Any) -> float:
    return float(value) if isinstance(value, (int, float)) else np.nan
