"""Polygons against rectangles: area, clipping, and the box of the visible part."""

import numpy as np
from numpy.typing import ArrayLike


def polygon_area(polygon: np.ndarray) -> float:
    """Area of a polygon ``(N, 2)`` by the shoelace formula; 0 if it is empty."""
    x, y = polygon[:, 0], polygon[:, 1]
    return 0.5 * abs(float(np.dot(x, np.roll(y, 1)) - np.dot(y, np.roll(x, 1))))


def clip_polygon(polygon: np.ndarray, low: ArrayLike, high: ArrayLike) -> np.ndarray:
    """Part of a polygon ``(N, 2)`` inside an axis-parallel rectangle, by Sutherland and Hodgman, ``(M, 2)``.

    Parts that are apart stay joined by edges along the rectangle's sides: right for the area, not for a box.
    """
    bounds = np.array([low, high], float)
    for axis in (0, 1):
        for bound, sign in zip(bounds[:, axis], (1.0, -1.0), strict=True):
            ends = np.roll(polygon, -1, axis=0)
            start_depth, end_depth = sign * (polygon[:, axis] - bound), sign * (ends[:, axis] - bound)
            crosses = (start_depth >= 0) != (end_depth >= 0)
            share = np.divide(start_depth, start_depth - end_depth, out=np.zeros(len(polygon)), where=crosses)
            # Every edge gives its start if that is inside, then its crossing if there is one.
            points = np.stack([polygon, polygon + share[:, None] * (ends - polygon)], axis=1)
            polygon = points[np.stack([start_depth >= 0, crosses], axis=1)]
    return polygon


def contains(polygon: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Whether points ``(K, 2)`` are inside a polygon ``(N, 2)``, by counting crossings to their right: ``(K,)``."""
    (x1, y1), (x2, y2) = polygon.T, np.roll(polygon, -1, axis=0).T
    x, y = points[:, :1], points[:, 1:]
    spans = (y1 <= y) != (y2 <= y)
    slope = np.divide(x2 - x1, y2 - y1, out=np.zeros(len(polygon)), where=y1 != y2)
    return (spans & (x < x1 + (y - y1) * slope)).sum(axis=1) % 2 == 1


def visible_box(polygon: np.ndarray, low: ArrayLike, high: ArrayLike) -> np.ndarray | None:
    """Box ``[[x1, y1], [x2, y2]]`` around what a rectangle shows of a polygon ``(N, 2)``, or None if it shows nothing.

    That part is spanned by the polygon's edges, each cut to the rectangle, and the rectangle's corners inside it.
    """
    bounds = np.array([low, high], float)
    steps = np.roll(polygon, -1, axis=0) - polygon
    flat = steps == 0
    inside = (polygon >= bounds[0]) & (polygon <= bounds[1])
    times = (bounds[:, None] - polygon) / np.where(flat, 1, steps)
    # Where along an edge it is inside: a flat one is so all the way or nowhere.
    enter = np.where(flat, np.where(inside, 0, np.inf), times.min(axis=0)).max(axis=1, initial=0)
    leave = np.where(flat, np.where(inside, 1, -np.inf), times.max(axis=0)).min(axis=1, initial=1)
    seen = enter <= leave
    corners = np.array([[x, y] for x in bounds[:, 0] for y in bounds[:, 1]])
    points = np.concatenate([
        polygon[seen] + enter[seen, None] * steps[seen], polygon[seen] + leave[seen, None] * steps[seen],
        corners[contains(polygon, corners)]])
    return np.stack([points.min(axis=0), points.max(axis=0)]) if len(points) else None
