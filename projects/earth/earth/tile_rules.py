"""Which tiles of the label maps are worth a sample."""

from collections.abc import Sequence

import numpy as np

from earth.classes import LANDCOVER_SEG, LSMASK_SEG

MIN_LAND = 0.25  # landcover_seg: share of the tile that is not water
MAX_ONE_LABEL, MIN_LAKE = 0.97, 0.01  # lsmask_seg: there is a shore, or a lake
DOMINANCE = 0.6  # landcover_cls: share of the tile's class
MIN_TILES = 20  # landcover_cls: a class with fewer tiles in train is dropped
OTHERS_PER_WATER = 5  # landcover_cls: other tiles for each tile of water, otherwise 78 % would be water


def shares(labels: np.ndarray, num_classes: int) -> np.ndarray:
    """Share of each class in a label map ``(H, W)``, shape ``(num_classes,)``."""
    return np.bincount(labels.ravel(), minlength=num_classes) / labels.size


def has_land(labels: np.ndarray) -> bool:
    """Whether a tile of the land-cover map is not mostly water."""
    return bool(1 - shares(labels, len(LANDCOVER_SEG))[0] >= MIN_LAND)


def has_shore(labels: np.ndarray) -> bool:
    """Whether a tile of the land-sea mask shows more than one label."""
    found = shares(labels, len(LSMASK_SEG))
    return bool(found.max() <= MAX_ONE_LABEL or found[LSMASK_SEG.index('lake')] >= MIN_LAKE)


def dominant_class(labels: np.ndarray) -> int | None:
    """The land-cover class that clearly dominates a tile, or None."""
    found = shares(labels, len(LANDCOVER_SEG))
    return int(found.argmax()) if found.max() >= DOMINANCE else None


def thin(items: Sequence, count: int) -> list:
    """At most ``count`` of ``items``, evenly spread, in order."""
    if count >= len(items):
        return list(items)
    return [items[index * len(items) // count] for index in range(count)]
