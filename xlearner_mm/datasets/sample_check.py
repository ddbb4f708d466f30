"""Annotations that stock pipelines pass on although they cannot be right (ours)."""

import math
from collections.abc import Mapping
from typing import Any, Optional

import numpy as np
from mmengine.structures import BaseDataElement
from PIL import Image

from .image_integrity import png_format

Size = tuple[int, int]


def check_sizes(sample: Any, said: tuple[Optional[int], Optional[int]], map_path: Optional[str] = None,
                map_head: bytes = b'') -> None:
    """Refuse a sample whose image has another size than its annotation says, or than its map of classes.

    Args:
        sample (Any): Packed stock sample: ``inputs``, a Tensor ``(C, H, W)``, and ``data_samples``. Anything else is
            left to others.
        said (tuple[int, int]): Height and width of its annotation, None where it says none.
        map_path (str, optional): File of its map of classes.
        map_head (bytes): How that file begins.

    Raises:
        ValueError: If sizes differ, or the map of classes has several channels or values that do not fit 8 bits.
    """
    data = _data_of(sample)
    shape = data.get('ori_shape')
    if shape is not None and None not in said and said != tuple(shape[:2]):
        raise ValueError(f'its image has {shape[0]}x{shape[1]} pixels (height x width) and its annotation says '
                         f'{said[0]}x{said[1]}: boxes and masks would lie elsewhere')
    if 'gt_sem_seg' not in data:
        return
    if map_path is not None and shape is not None:
        _check_map(map_path, map_head, tuple(shape[:2]))
    if 'data' in data.gt_sem_seg and tuple(data.gt_sem_seg.data.shape)[:-2] != (1, ):
        raise ValueError(f'its map of classes has the shape {tuple(data.gt_sem_seg.data.shape)} instead of (1, H, W): '
                         'it must be an image of one channel whose values are class indices, not colours')


def check_boxes(sample: Any) -> None:
    """Refuse a sample with a box that cannot be; rotated boxes are left alone.

    Args:
        sample (Any): Packed stock sample; its boxes are ``(N, 4)``, x1, y1, x2, y2 in pixels of its image.

    Raises:
        ValueError: If a box is not finite, empty or outside of the image.
    """
    data = _data_of(sample)
    if 'gt_instances' not in data or 'bboxes' not in data.gt_instances:
        return
    boxes = getattr(data.gt_instances.bboxes, 'tensor', data.gt_instances.bboxes)
    if boxes.ndim != 2 or boxes.shape[1] != 4:
        return
    height, width = sample['inputs'].shape[-2:]
    for box in boxes.tolist():  # as floats: quicker than by arrays, of a few boxes
        x1, y1, x2, y2 = box
        # Written so that a comparison with NaN is bad, too.
        if not (x1 < x2 and y1 < y2 and x1 < width and y1 < height and x2 > 0 and y2 > 0 and math.isfinite(sum(box))):
            raise ValueError(f'its box {[round(value, 2) for value in box]} (x1, y1, x2, y2) is empty, not finite or '
                             f'outside of the image of {height}x{width} (height x width); if its augmentations make it '
                             'so, let mmdet.FilterAnnotations follow them')


def _data_of(sample: Any) -> BaseDataElement:
    """Give the data element of a packed sample; an empty one for anything else."""
    data = sample.get('data_samples') if isinstance(sample, Mapping) else None
    return data if isinstance(data, BaseDataElement) else BaseDataElement()


def _check_map(path: str, head: bytes, shape: Size) -> None:
    """Compare the file of a map of classes with its image; but for rare kinds of files its head says all."""
    found = png_format(head)
    size, largest = (found[0], 0) if found is not None and found[1] <= 8 else _open_map(path)
    if size is not None and size != shape:
        raise ValueError(f'its image has {shape[0]}x{shape[1]} pixels (height x width) and its map of classes '
                         f'{size[0]}x{size[1]}: they do not lie over one another')
    if largest > 255:
        raise ValueError(f'its map of classes holds the value {largest}, and class indices are read as 8 bits: it '
                         f'would become {largest % 256}')


def _open_map(path: str) -> tuple[Optional[Size], int]:
    """Give the size of a map of classes, and its largest value if it has more than 8 bits."""
    try:
        with Image.open(path) as image:
            return image.size[::-1], int(np.asarray(image).max()) if image.mode.startswith(('I', 'F')) else 0
    except OSError:
        return None, 0  # no local file, or of a kind that only the loader of the pipeline knows
