"""Text that is placed by pixels."""

from matplotlib.backends.backend_agg import RendererAgg
from matplotlib.font_manager import FontProperties

DPI = 128  # pixels divided by it and multiplied again stay the same
FONTS = dict(
    title=FontProperties(family='DejaVu Sans', size=10.5, weight='bold'),
    row=FontProperties(family='DejaVu Sans', size=8.5, weight='bold'),
    bold=FontProperties(family='DejaVu Sans', size=8, weight='bold'),
    text=FontProperties(family='DejaVu Sans', size=6.8))


def text_width(text: str, font: str) -> int:
    """Give the width of a line of text.

    Args:
        text (str): One line.
        font (str): Key of ``FONTS``.

    Returns:
        int: Pixels.
    """
    if not text:
        return 0
    return round(RendererAgg(1, 1, DPI).get_text_width_height_descent(text, FONTS[font], ismath=False)[0])


def baseline(top: int, font: str) -> int:
    """Give the height of the baseline of a line of text, the same for letters of any height.

    Args:
        top (int): Where the line begins, in pixels from above.
        font (str): Key of ``FONTS``.

    Returns:
        int: Pixels from above.
    """
    return top + round(0.93 * FONTS[font].get_size_in_points() * DPI / 72)
