"""Cut outlined objects into tiles: what is seen well enough is an object, the rest of it an ignore region."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from earth.splits import Window

VISIBLE = 0.5  # at least this share of an object's area lies in the tile, otherwise the cut piece is ignored
MIN_SIDE = 2.0  # a cut piece with a shorter side, in pixels, is ignored; below 1 (mmdet drops those) it is left out


@dataclass(frozen=True)
class Outline:
    """An object of a picture: polygon ``(N, 2)`` in pixels (x, y), label, and whether it counts only as ignored."""

    polygon: np.ndarray
    label: int
    ignore: bool = False


@dataclass(frozen=True)
class Box:
    """A labelled box of a tile: ``(x1, y1, x2, y2)`` in pixels of the tile, area of the object in it."""

    corners: tuple[float, float, float, float]
    area: float
    label: int
    ignore: bool


def polygon_area(polygon: np.ndarray) -> float:
    """Area of a polygon ``(N, 2)`` by the shoelace formula; 0 if it is empty."""
    x, y = polygon[:, 0], polygon[:, 1]
    return 0.5 * abs(float(np.dot(x, np.roll(y, 1)) - np.dot(y, np.roll(x, 1))))


def clip_polygon(polygon: np.ndarray, low: tuple[float, float], high: tuple[float, float]) -> np.ndarray:
    """Part of a polygon ``(N, 2)`` inside an axis-parallel rectangle, by Sutherland and Hodgman, ``(M, 2)``.

    Edges along the rectangle's sides may join parts that are apart; area and box of the part are right all the same.
    """
    for axis in (0, 1):
        for bound, sign in ((low[axis], 1.0), (high[axis], -1.0)):
            if not len(polygon):
                return polygon
            ends = np.roll(polygon, -1, axis=0)
            start_depth, end_depth = sign * (polygon[:, axis] - bound), sign * (ends[:, axis] - bound)
            crosses = (start_depth >= 0) != (end_depth >= 0)
            share = np.divide(start_depth, start_depth - end_depth, out=np.zeros_like(start_depth), where=crosses)
            crossing = polygon + share[:, None] * (ends - polygon)
            # Every edge gives its start if that is inside, then its crossing if there is one.
            points = np.stack([polygon, crossing], axis=1).reshape(-1, 2)
            polygon = points[np.stack([start_depth >= 0, crosses], axis=1).reshape(-1)]
    return polygon


def cut_objects(outlines: Sequence[Outline], window: Window) -> list[Box]:
    """Boxes of the objects that reach into a window, tight around what of each is visible there."""
    low, high = (window.x, window.y), (window.x + window.size, window.y + window.size)
    boxes = []
    for outline in outlines:
        if (outline.low >= high).any() or (outline.high <= low).any():
            continue
        part = clip_polygon(outline.polygon, low, high)
        area = polygon_area(part)
        if area == 0:
            continue
        (x1, y1), (x2, y2) = part.min(0) - low, part.max(0) - low
        side = min(x2 - x1, y2 - y1)
        ignore = outline.ignore or area < VISIBLE * polygon_area(outline.polygon) or side < MIN_SIDE
        if side < 1 or (ignore and (x2 - x1) * (y2 - y1) > MAX_IGNORED * window.size ** 2):
            continue
        boxes.append(Box((float(x1), float(y1), float(x2), float(y2)), area, outline.label, ignore))
    return boxes
