"""Boxes, lines and marks on a page that counts in pixels."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Circle, FancyBboxPatch

from .lettering import DPI, FONTS, baseline

_PALE, _LIGHT = '#f3f3f3', '#ffffff'


class Diagram:
    """A white page whose origin is the upper left corner (ours); what its methods draw is told apart by its ``gid``.

    Args:
        width (int): Pixels.
        height (int): Pixels.
    """

    SUM_RADIUS = 8

    def __init__(self, width: int, height: int) -> None:
        self.figure = Figure(figsize=(width / DPI, height / DPI), dpi=DPI, facecolor='white')
        self.axes: Axes = self.figure.add_axes((0, 0, 1, 1), xlim=(0, width), ylim=(height, 0))
        self.axes.set_axis_off()

    def text(self, text: str, x: int, y: int, font: str, colour: str, centred: bool = False) -> None:
        """Write a line whose letters begin at height ``y``."""
        self.axes.text(x, baseline(y, font), text, fontproperties=FONTS[font], color=colour,
                       ha='center' if centred else 'left', va='baseline', parse_math=False, zorder=6)

    def box(self, x: int, y: int, width: int, height: int, colour: str, filled: bool) -> None:
        """Draw a box with round corners."""
        self.axes.add_patch(
            FancyBboxPatch((x, y), width, height, boxstyle='round,pad=0,rounding_size=6',
                           facecolor=_PALE if filled else _LIGHT, edgecolor=colour, linewidth=1, zorder=4, gid='box'))

    def line(self, xs: Sequence[int], ys: Sequence[int], colour: str, dashed: bool = False) -> None:
        """Draw a thin line behind everything else."""
        self.axes.add_line(
            Line2D(xs, ys, color=colour, linewidth=1, linestyle='--' if dashed else '-', zorder=1, gid='line'))

    def arrow(self, start: tuple[int, int], end: tuple[int, int], colour: str, main: bool = False) -> None:
        """Draw an arrow; a ``main`` one is thicker and lies over the others."""
        order = 3 if main else 2
        self.axes.annotate('', end, start, zorder=order, gid='arrow', arrowprops=dict(
            arrowstyle='-|>', color=colour, linewidth=1.7 if main else 1.1, shrinkA=0, shrinkB=0, mutation_scale=8,
            zorder=order))

    def mark(self, x: int, y: int, colour: str, kind: str) -> None:
        """Draw a mark: a ``link`` from the same level, a ``deep_link`` or a ``hint``."""
        shape, size, face = dict(link=('o', 6, colour), deep_link=('D', 5, colour), hint=('o', 5, _LIGHT))[kind]
        self.axes.add_line(Line2D([x], [y], linestyle='', marker=shape, markersize=size, markerfacecolor=face,
                                  color=colour, zorder=5, gid=kind))

    def sum(self, x: int, y: int, colour: str) -> None:
        """Draw a plus in a circle."""
        self.axes.add_patch(Circle((x, y), self.SUM_RADIUS, facecolor=_LIGHT, edgecolor=colour, linewidth=1.4,
                                   zorder=5, gid='sum'))
        self.axes.add_line(Line2D([x], [y], linestyle='', marker='+', markersize=6, color=colour, zorder=6))
