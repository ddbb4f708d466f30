"""Pictures of how sources get in each other's way."""

import math
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator

from .interference_scalars import Interference, Pair

# The colour-blind tell red from blue by way of white; in black and white both are dark, so negatives are bold, too.
_MAP = 'RdBu'
_COLOURS = ('#d55e00', '#0072b2', '#009e73', '#cc79a7', '#e69f00', '#56b4e9', '#000000')  # Okabe and Ito
_OTHER = '#c4c4c4'
_POINTS = 20
_CELL, _NAMES, _BAR = 0.42, 1.2, 0.9  # inches
_TOLD = ('Cosine between the gradients of two sources on the parameters that they share, mean over the measured steps. '
         'Bold: negative, they pull the weights apart; framed: by more than two standard errors over the steps. '
         'Diagonal: share of the source in the sum of the norms. –: nothing in common, or never in one step.')


def interference_picture(measured: Sequence[Interference], parts: Sequence[str]) -> Figure:
    """Draw runs side by side: heat maps of the sources' cosines by part, and the cosines over the iterations (ours).

    Args:
        measured (Sequence[Interference]): What was measured, by run.
        parts (Sequence[str]): Parts of the model to draw.

    Returns:
        Figure: Whose ``savefig`` writes it.
    """
    sources = list(dict.fromkeys(source for one in measured for source in one.sources))
    rows = math.ceil(len(parts) / {1: 4, 2: 3}.get(len(measured), 2))
    columns = math.ceil(len(parts) / rows)
    side = max(1.5, _CELL * len(sources))
    block = max(columns * (side + 0.15) + _NAMES, 6)
    width = len(measured) * block + _BAR
    heights = rows * (side + 0.15) + _NAMES, 3.4
    figure = Figure(figsize=(width, sum(heights) + 1), layout='constrained')
    figure.supxlabel(textwrap.fill(_TOLD, int(14 * width)), fontsize=8, x=0.01, ha='left')
    blocks: Any = figure.subfigures(1, len(measured) + 1, width_ratios=[block] * len(measured) + [_BAR])
    colours = _colours(measured)
    for one, own in zip(measured, blocks[:-1], strict=True):
        own.suptitle(_title(one), fontsize=10, fontweight='bold')
        top, bottom = own.subfigures(2, 1, height_ratios=heights)
        image = _draw_maps(top.subplots(rows, columns, squeeze=False), one, parts, sources)
        _draw_lines(bottom.subplots(), one, colours)
    bar = blocks[-1].add_axes((0.1, 0.45, 0.15, 0.4))
    bar.set_title('cosine', fontsize=8)
    blocks[-1].colorbar(image, cax=bar)
    return figure


def _title(one: Interference) -> str:
    steps = len(one.steps)
    return (f'{one.title}\niterations {min(one.steps)} to {max(one.steps)}, '
            f'{steps} step{"s" * (steps != 1)} measured')


def _draw_maps(grid: Any, one: Interference, parts: Sequence[str], sources: Sequence[str]) -> Any:
    rows, columns = grid.shape
    for number in range(rows * columns):
        axes = grid[number // columns, number % columns]
        if number >= len(parts):
            axes.set_axis_off()
            continue
        image = _draw_map(axes, one, parts[number], sources)
        if number % columns:
            axes.set_yticklabels([])
        if number + columns < len(parts):
            axes.set_xticklabels([])
    return image


def _draw_map(axes: Axes, one: Interference, part: str, sources: Sequence[str]) -> Any:
    """Draw the lower half of the matrix; the upper one would say the same."""
    cosines, shares = one.cosines(part), one.shares(part)
    values = np.full((len(sources), ) * 2, np.nan)
    for row, a in enumerate(sources):
        if shares:
            _write(axes, row, row, f'{shares[a]:.0%}' if a in shares else '–', color='#555555')
        for column, b in enumerate(sources[:row] if shares else ()):
            measured = cosines.get((min(a, b), max(a, b)))
            values[row, column] = np.nan if measured is None else _draw_pair(axes, row, column, [*measured.values()])
            if measured is None:
                axes.add_patch(Rectangle((column - 0.5, row - 0.5), 1, 1, facecolor='#ececec', edgecolor='white'))
                _write(axes, row, column, '–', color='#777777')
    image = axes.imshow(values, cmap=_MAP, vmin=-1, vmax=1, interpolation='nearest')
    axes.text(0.98, 0.98, part, transform=axes.transAxes, ha='right', va='top', fontsize=9, fontweight='bold')
    if not shares:
        axes.text(0.5, 0.5, 'nothing shared', transform=axes.transAxes, ha='center', fontsize=8, color='#777777')
    axes.set_xticks(range(len(sources)), sources, rotation=90, fontsize=7)
    axes.set_yticks(range(len(sources)), sources, fontsize=7)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    return image


def _draw_pair(axes: Axes, row: int, column: int, values: Sequence[float]) -> float:
    """Write the mean of a pair into its cell, and give it."""
    mean = float(np.mean(values))
    error = float(np.std(values, ddof=1)) / len(values)**0.5 if len(values) > 1 else 0.
    told = _number(mean)
    _write(axes, row, column, told, color='white' if abs(mean) > 0.65 else 'black',
           fontweight='bold' if told.startswith('−') else 'normal')
    if told.startswith('−') and mean < -2 * error:
        axes.add_patch(Rectangle((column - 0.44, row - 0.44), 0.88, 0.88, fill=False, edgecolor='black', linewidth=1.2))
    return mean


def _number(value: float) -> str:
    return f'{round(value, 2) + 0.:.2f}'.replace('-', '−')  # + 0. makes no -0 of what is rounded away


def _write(axes: Axes, row: int, column: int, text: str, **kwargs: Any) -> None:
    axes.text(column, row, text, ha='center', va='center', fontsize=7, zorder=3, **kwargs)


def _means(one: Interference) -> dict[Pair, float]:
    return {pair: float(np.mean(list(values.values()))) for pair, values in one.cosines('all').items()}


def _colours(measured: Sequence[Interference]) -> dict[Pair, str]:
    """Give the pairs that conflict most, in any run, a colour that is the same in all runs."""
    lowest: dict[Pair, float] = {}
    for one in measured:
        for pair, mean in _means(one).items():
            lowest[pair] = min(mean, lowest.get(pair, mean))
    return dict(zip(sorted(lowest, key=lambda pair: lowest[pair]), _COLOURS, strict=False))


def _draw_lines(axes: Axes, one: Interference, colours: Mapping[Pair, str]) -> None:
    """Draw the cosines on all shared parameters over the iterations, some steps averaged into a point."""
    means, cosines = _means(one), one.cosines('all')
    per = math.ceil(len(one.steps) / _POINTS)
    for pair in sorted(means, key=lambda pair: (pair not in colours, means[pair])):
        points = sorted(cosines[pair].items())
        averages = np.array([np.mean(points[i:i + per], axis=0) for i in range(0, len(points), per)])
        own: dict[str, Any] = dict(color=_OTHER, zorder=2, linewidth=0.8)
        if pair in colours:
            own = dict(color=colours[pair], zorder=3, linewidth=1.3,
                       label=f'{pair[0]} ~ {pair[1]}  {_number(means[pair])}')
        axes.plot(averages[:, 0], averages[:, 1], marker='o', markersize=2.5, **own)
    others = sum(pair not in colours for pair in means)
    if others:
        axes.plot([], [], color=_OTHER, label=f'{others} other{"s" * (others != 1)}')
    averaged = f', a point the mean of {per} measured steps' if per > 1 else ''
    axes.axhline(0, color='black', linewidth=0.8)
    axes.set(ylim=(-1, 1), xlabel='iteration', ylabel='cosine')
    axes.set_title(f'all shared parameters{averaged}', fontsize=9)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(alpha=0.3)
    axes.legend(title='lowest mean, in any run', loc='upper left', bbox_to_anchor=(1.01, 1), frameon=False, fontsize=7,
                title_fontsize=7)
