"""A sheet of many images: a titled row of them for each source."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.transforms import IdentityTransform

from .fit_image import fit_image
from .labelled_image import RGB, LabelledImage
from .lettering import DPI, FONTS, baseline, text_width

# In pixels: around the sheet, between images, and between rows; from line to line; side of a legend's square.
_MARGIN, _GAP, _ROW_GAP, _LINE, _SWATCH = 28, 12, 30, 17, 12
_HEADING_HEIGHT, _TITLE_HEIGHT = 40, 28
_DARK, _GREY = '#1a1a1a', '#666666'


def contact_sheet(rows: Mapping[str, Sequence[LabelledImage]], titles: Mapping[str, str], heading: str = '',
                  height: int = 256) -> FigureCanvasAgg:
    """Lay out a titled row of images for each source, on white (ours).

    An image that :func:`fit_image` has brought to ``height`` is shown pixel by pixel, others are brought to it.

    Args:
        rows (Mapping[str, Sequence[LabelledImage]]): Images by source.
        titles (Mapping[str, str]): Title of each row, by source.
        heading (str): Written above all rows.
        height (int): Height of the images in pixels.

    Returns:
        FigureCanvasAgg: Whose ``print_png`` writes it.

    Raises:
        ValueError: If there is no row, a row has no image, or no title.
    """
    if not rows or not all(rows.values()):
        raise ValueError(f'A contact sheet needs rows with at least an image each, got '
                         f'{ {source: len(images) for source, images in rows.items()} }.')
    missing = [source for source in rows if source not in titles]
    if missing:
        raise ValueError(f'titles has no title for the rows {missing}.')
    drawn = [_Row(titles[source], images, height) for source, images in rows.items()]
    width = max([row.width for row in drawn] + [text_width(heading, 'title')])
    top = _MARGIN + (_HEADING_HEIGHT if heading else 0)
    tops = []
    for row in drawn:
        tops.append(top)
        top += row.total_height(width) + _ROW_GAP
    page = _Page(width + 2 * _MARGIN, top - _ROW_GAP + _MARGIN)
    if heading:
        page.text(heading, _MARGIN, _MARGIN, 'title', _DARK)
    for row, start in zip(drawn, tops, strict=True):
        row.draw(page, start, width)
    return page.canvas


class _Page:
    """A figure that counts in pixels from the upper left corner."""

    def __init__(self, width: int, height: int) -> None:
        self.height = height
        self.figure = Figure(figsize=(width / DPI, height / DPI), dpi=DPI, facecolor='white')
        self.canvas = FigureCanvasAgg(self.figure)

    def text(self, text: str, x: int, y: int, font: str, colour: str) -> None:
        self.figure.text(x, self.height - baseline(y, font), text, transform=IdentityTransform(),
                         fontproperties=FONTS[font], color=colour, va='baseline', parse_math=False)

    def image(self, image: LabelledImage, x: int, y: int) -> None:
        self.figure.figimage(image.image, x, self.height - y - image.image.shape[0], origin='upper')

    def swatch(self, colour: RGB, x: int, y: int) -> None:
        self.figure.add_artist(
            Rectangle((x, self.height - y - _SWATCH), _SWATCH, _SWATCH, transform=IdentityTransform(),
                      facecolor=[value / 255 for value in colour], edgecolor=_GREY, linewidth=0.4))


@dataclass
class _Row:
    """A title, images with their captions, and a legend where colours have a meaning."""

    title: str
    images: Sequence[LabelledImage]
    height: int

    @cached_property
    def cells(self) -> list[LabelledImage]:
        """The images in their final size."""
        return [LabelledImage(fit_image(cell.image, self.height), cell.caption, cell.colours) for cell in self.images]

    @cached_property
    def widths(self) -> list[int]:
        """Of the cells; narrow images keep room for a caption."""
        return [max(cell.image.shape[1], round(0.6 * self.height)) for cell in self.cells]

    @property
    def width(self) -> int:
        return max(sum(self.widths) + _GAP * (len(self.widths) - 1), text_width(self.title, 'row'))

    @cached_property
    def legend(self) -> dict[str, RGB]:
        return {name: colour for cell in self.cells for name, colour in cell.colours.items()}

    @property
    def image_height(self) -> int:
        return max(cell.image.shape[0] for cell in self.cells)

    @property
    def caption_height(self) -> int:
        return 4 + _LINE * max(len(cell.caption) for cell in self.cells)

    def legend_columns(self, width: int) -> tuple[int, int]:
        """Number and width of the legend's columns on a sheet of a width."""
        column = max(text_width(name, 'text') for name in self.legend) + _SWATCH + 28
        return max(1, width // column), column

    def total_height(self, width: int) -> int:
        lines = -(-len(self.legend) // self.legend_columns(width)[0]) if self.legend else 0
        return _TITLE_HEIGHT + self.image_height + self.caption_height + (8 + lines * (_LINE + 2) if lines else 0)

    def draw(self, page: _Page, top: int, width: int) -> None:
        page.text(self.title, _MARGIN, top, 'row', _DARK)
        top, left = top + _TITLE_HEIGHT, _MARGIN
        for cell, cell_width in zip(self.cells, self.widths, strict=True):
            page.image(cell, left, top)
            for number, line in enumerate(cell.caption):
                page.text(_shortened(line, cell_width), left, top + cell.image.shape[0] + 6 + number * _LINE, 'text',
                          _GREY if number else _DARK)
            left += cell_width + _GAP
        top += self.image_height + self.caption_height + 8
        for number, (name, colour) in enumerate(self.legend.items()):
            columns, column = self.legend_columns(width)
            x, y = _MARGIN + number % columns * column, top + number // columns * (_LINE + 2)
            page.swatch(colour, x, y)
            page.text(name, x + _SWATCH + 6, y, 'text', _DARK)


def _shortened(text: str, width: int) -> str:
    """Cut the middle out of a text that is wider than there is room for: the ends tell names of files apart."""
    keep = len(text)
    shorter = text
    while keep > 2 and text_width(shorter, 'text') > width:
        keep -= 1
        shorter = f'{text[:keep // 2]}…{text[len(text) - (keep - keep // 2):]}'
    return shorter
