"""Cut outlined objects into tiles: what is seen well enough is an object, other pieces are ignore regions."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from earth.geometry import clip_polygon, polygon_area, visible_box
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
        boxes = [self._piece(self.outlines[index], low, window.size) for index in np.flatnonzero(touched).tolist()]
        return [box for box in boxes if box is not None]

    @staticmethod
    def _piece(outline: Outline, low: np.ndarray, size: int) -> Box | None:
        area = polygon_area(clip_polygon(outline.polygon, low, low + size))
        corners = visible_box(outline.polygon, low, low + size)
        if corners is None:
            return None
        (x1, y1), (x2, y2) = (corners - low).tolist()
        side = min(x2 - x1, y2 - y1)
        ignore = outline.ignore or side < MIN_SIDE or area < VISIBLE * polygon_area(outline.polygon)
        if side < 1 or (ignore and (x2 - x1) * (y2 - y1) > MAX_IGNORED * size**2):
            return None
        return Box((x1, y1, x2, y2), area, outline.label, ignore)
