"""The six sources: what each takes from the packages, tile by tile."""

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from earth import classes, digits, gshhg, tile_rules, trees
from earth.geo import blue_marble, land_cover, land_sea_mask
from earth.object_cutter import ObjectCutter
from earth.packages import package_file
from earth.splits import SPLITS, windows

SCENE, TILE, TREE_TILE = 32, 64, 128  # pixels of a tile: classification, maps and coast, photographs
BY_BLOCK = ('18 degree longitude blocks from 180 W: 2 to 7 (the Americas) are held out, even ones transfer_train and '
            'odd ones transfer_val; of the rest 3 modulo 4 is val, the others train')
BY_PHOTOGRAPH = ('photograph: train YELL 528000, val OSBS 029 and SOAP 061, transfer YELL 541000, its right side '
                 'transfer_train and its left side transfer_val, 97 pixels apart')
BY_FORM = 'order of the file, at ends of the written forms: 8 forms train, 2 val, 2 transfer_train, 2 transfer_val'


@dataclass(frozen=True)
class Sample:
    """One image of a split.

    Attributes:
        split (str): One of `splits.SPLITS`.
        name (str): File name stem, unique within the split.
        image (ndarray): uint8 ``(H, W, 3)`` RGB or ``(H, W)`` grey.
        target: Class name (cls), label map uint8 ``(H, W)`` (seg) or list of `Box` (det).
    """

    split: str
    name: str
    image: np.ndarray
    target: Any


@dataclass(frozen=True)
class Source:
    """A source: task (``'cls'``, ``'det'``, ``'seg'``), classes and colours in label order, split rule, samples."""

    task: str
    classes: tuple[str, ...]
    palette: tuple[tuple[int, int, int], ...]
    split_rule: str
    samples: Callable[[], Iterator[Sample]]


def map_samples(label_map: Callable[[], np.ndarray], rule: Callable[[np.ndarray], bool]) -> Iterator[Sample]:
    """Tiles of Blue Marble with a label map, those that ``rule`` accepts."""
    for split in SPLITS:
        for window in windows(split, TILE):
            labels = label_map()[window.slices]
            if rule(labels):
                yield Sample(split, window.name, blue_marble()[window.slices], labels)


def coast_samples() -> Iterator[Sample]:
    """Tiles of Blue Marble with at least one island or lake."""
    cutter = ObjectCutter(gshhg.shoreline_outlines())
    for split in SPLITS:
        for window in windows(split, TILE):
            boxes = cutter.cut(window)
            if not all(box.ignore for box in boxes):
                yield Sample(split, window.name, blue_marble()[window.slices], boxes)


def tree_samples() -> Iterator[Sample]:
    """Tiles of aerial photographs with at least one tree crown."""
    for part in trees.PARTS:
        image = trees.photograph(part.stem)
        cutter = ObjectCutter(trees.crown_outlines(package_file('deepforest', f'{part.stem}.xml')))
        for window in trees.part_windows(part, image.shape[0], TREE_TILE):
            boxes = cutter.cut(window)
            if not all(box.ignore for box in boxes):
                yield Sample(part.split, f'{part.stem}_{window.name}', image[window.slices], boxes)


def scene_samples() -> Iterator[Sample]:
    """Tiles of Blue Marble that one class of land cover dominates; water only as one in six."""
    water = classes.cls_folder(0)
    for split in SPLITS:
        found = defaultdict(list)
        for window in windows(split, SCENE):
            label = tile_rules.dominant_class(land_cover()[window.slices])
            if label is not None and classes.cls_folder(label) in classes.LANDCOVER_CLS:
                found[classes.cls_folder(label)].append(window)
        others = sum(len(tiles) for folder, tiles in found.items() if folder != water)
        found[water] = tile_rules.thin(found[water], others // tile_rules.OTHERS_PER_WATER)
        for folder, tiles in found.items():
            for window in tiles:
                yield Sample(split, window.name, blue_marble()[window.slices], folder)


def digit_samples() -> Iterator[Sample]:
    """Digits, in the order of the file."""
    images, labels = digits.load_digits()
    for split, indices in digits.split_ranges(len(images)):
        for index in indices:
            yield Sample(split, f'{index:04d}', digits.enlarge(images[index]), str(labels[index]))


SOURCES = {
    'landcover_seg': Source('seg', classes.LANDCOVER_SEG, classes.LANDCOVER_SEG_PALETTE, BY_BLOCK,
                            partial(map_samples, land_cover, tile_rules.has_land)),
    'lsmask_seg': Source('seg', classes.LSMASK_SEG, classes.LSMASK_SEG_PALETTE, BY_BLOCK,
                         partial(map_samples, land_sea_mask, tile_rules.has_shore)),
    'coast_det': Source('det', classes.COAST_DET, classes.COAST_DET_PALETTE, BY_BLOCK, coast_samples),
    'tree_det': Source('det', classes.TREE_DET, classes.TREE_DET_PALETTE, BY_PHOTOGRAPH, tree_samples),
    'landcover_cls': Source('cls', classes.LANDCOVER_CLS, (), BY_BLOCK, scene_samples),
    'digits_cls': Source('cls', classes.DIGITS_CLS, (), BY_FORM, digit_samples),
}
