"""Tree crowns: the four aerial photographs of deepforest with their hand-drawn boxes (VOC xml).

Split by photograph. The held-out photograph is the only one with enough crowns for both parts of a transfer, so these
are its two sides with 97 pixels (10 m, the largest crown) between them.
"""

import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from earth.object_cutter import Outline
from earth.packages import package_file
from earth.splits import Window


@dataclass(frozen=True)
class PhotographPart:
    """The columns ``left`` to ``right`` of a photograph and the split that they are for."""

    split: str
    stem: str
    left: int
    right: int


PARTS = (
    PhotographPart('train', '2019_YELL_2_528000_4978000_image_crop2', 0, 2299),
    PhotographPart('val', 'OSBS_029', 0, 400),
    PhotographPart('val', 'SOAP_061', 0, 400),
    PhotographPart('transfer_train', '2019_YELL_2_541000_4977000_image_crop', 609, 1249),
    PhotographPart('transfer_val', '2019_YELL_2_541000_4977000_image_crop', 0, 512),
)


def photograph(stem: str) -> np.ndarray:
    """RGB pixels of a photograph, ``(H, W, 3)``."""
    with Image.open(package_file('deepforest', f'{stem}.png')) as image:
        return np.asarray(image.convert('RGB'))


def crown_outlines(voc_xml: Path) -> list[Outline]:
    """Boxes of a VOC file as outlines; living and dead trees are one class."""
    outlines = []
    for box in ElementTree.parse(voc_xml).getroot().iterfind('object/bndbox'):
        x1, y1, x2, y2 = (float(box.findtext(key, '')) for key in ('xmin', 'ymin', 'xmax', 'ymax'))
        x1, y1 = x1 - 1, y1 - 1  # VOC counts pixels from 1 and includes the last one
        outlines.append(Outline(np.array([[x1, y1], [x2, y1], [x2, y2], [x1, y2]]), label=0))
    return outlines


def part_windows(part: PhotographPart, height: int, size: int) -> Iterator[Window]:
    """Whole tiles of ``size`` pixels of a part of a photograph that is ``height`` pixels high."""
    for x in range(part.left, part.right - size + 1, size):
        for y in range(0, height - size + 1, size):
            yield Window(x, y, size)
