"""Who sees what: fixed longitude blocks, the same for every source that is cut from Blue Marble.

A block is 18 degrees (270 pixels) wide. Its inner 256 pixels hold whole tiles of 32 or 64 pixels; the 7 pixels on
either side are used by nobody, so tiles of two blocks are at least 14 pixels (100 km at the equator) apart. Rows lie
between 72 N and 56 S: beyond, the projection stretches pixels more than threefold, and most is ice.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from earth.geo import WIDTH

BLOCK, MARGIN = 270, 7
TOP, BOTTOM = 270, 2190  # rows of 72 N and 56 S
SPLITS = ('train', 'val', 'transfer_train', 'transfer_val')
HELD_OUT = range(2, 8)  # 144 W to 36 W: the Americas but for the west of Alaska and the tip of Brazil


@dataclass(frozen=True)
class Window:
    """A square of ``size`` pixels whose upper left corner is ``(x, y)``."""

    x: int
    y: int
    size: int

    @property
    def name(self) -> str:
        """File name stem, unique within a picture."""
        return f'x{self.x:04d}_y{self.y:04d}'

    @property
    def slices(self) -> tuple[slice, slice]:
        """Index of the window in an array ``(H, W, ...)``."""
        return slice(self.y, self.y + self.size), slice(self.x, self.x + self.size)


def split_of_block(block: int) -> str:
    """Split of a longitude block, counted from 180 W: the Americas are held out, every fourth other one is for val."""
    if not 0 <= block < WIDTH // BLOCK:
        raise ValueError(f'block {block} is outside 0 to {WIDTH // BLOCK - 1}')
    if block in HELD_OUT:
        return 'transfer_train' if block % 2 == 0 else 'transfer_val'
    return 'val' if block % 4 == 3 else 'train'


def windows(split: str, size: int) -> Iterator[Window]:
    """Tiles of ``size`` pixels of one split, from west to east and north to south, without overlap.

    Raises:
        ValueError: If the size does not divide a block's inner width, so that tiles would straddle blocks.
    """
    inner = BLOCK - 2 * MARGIN
    if inner % size or (BOTTOM - TOP) % size:
        raise ValueError(f'a tile of {size} pixels does not divide a block of {inner} x {BOTTOM - TOP} pixels')
    for block in range(WIDTH // BLOCK):
        if split_of_block(block) == split:
            left = block * BLOCK + MARGIN
            for x in range(left, left + inner, size):
                for y in range(TOP, BOTTOM, size):
                    yield Window(x, y, size)
