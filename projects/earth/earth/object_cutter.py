"""Cut outlined objects into tiles: what is seen well enough is an object, other pieces are ignore regions."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from earth.splits import Window

VISIBLE = 0.5  # at least this share of an object's area lies in the tile, otherwise the piece is ignored
MIN_SIDE = 2.0  # a piece with a shorter side, in pixels, is ignored; below 1 (mmdet drops those) it is left out
MAX_IGNORED = 0.5  # an ignore region that covers more of the tile is left out: it would ignore the tile, not an object


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


def clip_polygon(polygon: np.ndarray, low: Sequence[float], high: Sequence[float]) -> np.ndarray:
    """Part of a polygon ``(N, 2)`` inside an axis-parallel rectangle, by Sutherland and Hodgman, ``(M, 2)``.

    Edges along the rectangle's sides may join parts that are apart; area and box of the part are right all the same.
    """
    for axis in (0, 1):
        for bound, sign in ((low[axis], 1.0), (high[axis], -1.0)):
            ends = np.roll(polygon, -1, axis=0)
            start_depth, end_depth = sign * (polygon[:, axis] - bound), sign * (ends[:, axis] - bound)
            crosses = (start_depth >= 0) != (end_depth >= 0)
            share = np.divide(start_depth, start_depth - end_depth, out=np.zeros(len(polygon)), where=crosses)
            # Every edge gives its start if that is inside, then its crossing if there is one.
            points = np.stack([polygon, polygon + share[:, None] * (ends - polygon)], axis=1)
            polygon = points[np.stack([start_depth >= 0, crosses], axis=1)]
    return polygon


class ObjectCutter:
    """Boxes of a picture's objects in any window of it.

    Args:
        outlines (Sequence[Outline]): The objects of the whole picture.
    """

    def __init__(self, outlines: Sequence[Outline]) -> None:
        self.outlines = outlines
        self.low = np.array([outline.polygon.min(0) for outline in outlines]).reshape(-1, 2)
        self.high = np.array([outline.polygon.max(0) for outline in outlines]).reshape(-1, 2)

    def cut(self, window: Window) -> list[Box]:
        """Boxes of the objects that reach into ``window``, each tight around what of the object is visible there."""
        low = np.array([window.x, window.y])
        touched = ((self.low < low + window.size) & (self.high > low)).all(axis=1)
        boxes = [self._piece(self.outlines[index], low, window.size) for index in np.flatnonzero(touched)]
        return [box for box in boxes if box is not None]

    @staticmethod
    def _piece(outline: Outline, low: np.ndarray, size: int) -> Box | None:
        part = clip_polygon(outline.polygon, low, low + size) - low
        area = polygon_area(part)
        if area == 0:
            return None
        (x1, y1), (x2, y2) = part.min(0).tolist(), part.max(0).tolist()
        side = min(x2 - x1, y2 - y1)
        ignore = outline.ignore or side < MIN_SIDE or area < VISIBLE * polygon_area(outline.polygon)
        if side < 1 or (ignore and (x2 - x1) * (y2 - y1) > MAX_IGNORED * size**2):
            return None
        return Box((x1, y1, x2, y2), area, outline.label, ignore)
