"""Contact sheets: samples of every split with their labels drawn, read back from the prepared files."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle
from PIL import Image

from earth.sources import Source
from earth.splits import SPLITS
from earth.stock_formats import read_classification, read_detection, read_segmentation
from earth.tile_rules import thin

COLUMNS = dict(cls=12, seg=12, det=6)  # a segmentation sample takes two: the image, and the labels over it
TITLES = dict(cls=0.4, seg=0.05, det=0.05)  # inches above each row
WIDTH, DPI = 14.0, 100
OPACITY = 0.6
DASHED, IGNORED = (0, (3, 2)), 'ignore region'


def draw_contact_sheet(folder: Path, source: Source, path: Path) -> None:
    """Draw one row of samples, evenly spread, for each split of a prepared source.

    Args:
        folder (Path): Folder of the source.
        source (Source): Its task, classes and colours.
        path (Path): PNG file to write.
    """
    columns = COLUMNS[source.task]
    cell = WIDTH / columns
    figure = Figure(figsize=(WIDTH, len(SPLITS) * (cell + TITLES[source.task]) + 0.9), dpi=DPI, layout='constrained')
    figure.suptitle(f'{folder.name}: samples of each split', fontsize=13)
    seen = set()
    for split, row in zip(SPLITS, figure.subplots(len(SPLITS), columns, squeeze=False), strict=True):
        for axes in row:
            axes.set(xticks=[], yticks=[])
            axes.spines[:].set_visible(False)
        seen |= DRAW_ROW[source.task](row, folder / split, source)
        row[0].set_ylabel(split, fontsize=11)
    handles = [Patch(color=_colour(source.palette[label]), label=source.classes[label]) for label in sorted(seen)]
    if source.task == 'det':
        handles.append(Patch(fill=False, edgecolor='black', linestyle=DASHED, label=IGNORED))
    if handles:
        figure.legend(handles=handles, loc='outside lower center', ncols=6, frameon=False, fontsize=9)
    figure.savefig(path)


def _colour(rgb: tuple[int, int, int]) -> str:
    return '#{:02x}{:02x}{:02x}'.format(*rgb)


def _pixels(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image)


def _classification_row(row: Sequence[Axes], folder: Path, source: Source) -> set[int]:
    items = read_classification(folder)
    groups = [group for name in source.classes if (group := [item for item in items if item[1] == name])]
    # As many of each class, so that rare ones are seen too.
    even = [item for group in groups for item in thin(group, -(-len(row) // max(len(groups), 1)))]
    for axes, (path, name) in zip(row, thin(even, len(row)), strict=False):
        axes.imshow(_pixels(path), cmap='gray', vmin=0, vmax=255, interpolation='nearest')
        axes.set_title(name.replace('_', '\n', 1).replace('_', ' '), fontsize=8, pad=2)
    return set()


def _segmentation_row(row: Sequence[Axes], folder: Path, source: Source) -> set[int]:
    palette, seen = np.array(source.palette), set()
    for number, (path, label_path) in enumerate(thin(read_segmentation(folder), len(row) // 2)):
        image, labels = _pixels(path), _pixels(label_path)
        blend = (1 - OPACITY) * image + OPACITY * palette[labels]
        row[2 * number].imshow(image, interpolation='nearest')
        row[2 * number + 1].imshow(blend.astype(np.uint8), interpolation='nearest')
        seen |= set(np.unique(labels).tolist())
    return seen


def _detection_row(row: Sequence[Axes], folder: Path, source: Source) -> set[int]:
    table, seen = read_detection(folder), set()
    for axes, image in zip(row, thin(table['images'], len(row)), strict=False):
        axes.imshow(_pixels(folder / 'images' / image['file_name']), interpolation='nearest')
        for annotation in table['annotations']:
            if annotation['image_id'] == image['id']:
                label = annotation['category_id'] - 1
                x, y, width, height = annotation['bbox']
                # The corner of the first pixel is at -0.5 for matplotlib.
                axes.add_patch(Rectangle((x - 0.5, y - 0.5), width, height, fill=False, linewidth=1.3,
                                         edgecolor=_colour(source.palette[label]),
                                         linestyle=DASHED if annotation['iscrowd'] else '-'))
                seen.add(label)
    return seen


DRAW_ROW = dict(cls=_classification_row, seg=_segmentation_row, det=_detection_row)
