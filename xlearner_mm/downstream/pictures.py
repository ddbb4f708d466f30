"""Pictures of what a downstream suite found."""

import math
from collections.abc import Sequence
from statistics import mean, stdev

from matplotlib.figure import Figure

from .results import TITLES, Result, values

_WIDTH_OF_SET = 1.1  # inches


def bar_plot(results: Sequence[Result]) -> Figure:
    """Draw a bar for each set and backbone, with the standard deviation over the seeds.

    Args:
        results (Sequence[Result]): Results of one variant.

    Returns:
        Figure: Whose ``savefig`` writes it.
    """
    sets, names = _sets(results), _backbones(results)
    figure = Figure(figsize=(max(6.0, 1.5 + _WIDTH_OF_SET * len(sets)), 4.2), layout='constrained')
    axes, width = figure.subplots(), 0.8 / len(names)
    for number, name in enumerate(names):
        found = [values(results, s, name) for s in sets]
        have = [i for i, v in enumerate(found) if v]
        bars = axes.bar([i + (number - (len(names) - 1) / 2) * width for i in have], [mean(found[i]) for i in have],
                        width * 0.92, label=name,
                        yerr=[stdev(found[i]) if len(found[i]) > 1 else 0 for i in have], error_kw=dict(lw=1))
        axes.bar_label(bars, fmt='%.1f', padding=2, fontsize=7 if len(names) < 4 else 5)
    metrics = {r.set: r.metric for r in results}
    axes.set_xticks(range(len(sets)), [f'{s}\n{metrics[s]}' for s in sets], fontsize=8)
    axes.set(ylabel='percent', ylim=(0, min(112.0, 1.15 * max(r.percent for r in results) + 1)),
             title=TITLES[results[0].variant])
    axes.spines[['top', 'right']].set_visible(False)
    figure.legend(loc='outside lower center', ncols=len(names), frameon=False)
    return figure


def radar_plot(results: Sequence[Result]) -> Figure:
    """Draw a polygon for each backbone over the sets; at least three sets make one.

    Each axis shows shares of the best figure on its set, which is told at its end.

    Args:
        results (Sequence[Result]): Results of one variant.

    Returns:
        Figure: Whose ``savefig`` writes it.

    Raises:
        ValueError: If there are less than three sets.
    """
    sets, names = _sets(results), _backbones(results)
    if len(sets) < 3:
        raise ValueError(f'A radar plot needs at least three sets, got {", ".join(sets)}.')
    figure = Figure(figsize=(6.5, 6.5), layout='constrained')
    axes = figure.add_subplot(projection='polar')
    angles = [2 * math.pi * i / len(sets) for i in range(len(sets))]
    best = {s: max(mean(v) for name in names if (v := values(results, s, name))) for s in sets}
    for name in names:
        found = [values(results, s, name) for s in sets]
        have = [i for i, v in enumerate(found) if v]
        parts = [mean(found[i]) / max(best[sets[i]], 1e-9) for i in have]
        axes.plot([angles[i] for i in [*have, have[0]]], [*parts, parts[0]], marker='o', ms=3, label=name)
        axes.fill([angles[i] for i in have], parts, alpha=0.08)
    axes.set_xticks(angles, [f'{s}\n{best[s]:.1f}' for s in sets], fontsize=8)
    axes.tick_params(axis='x', pad=16)
    lowest = min(r.percent / max(best[r.set], 1e-9) for r in results)
    axes.set_ylim(max(0.0, min(lowest - 0.1, 0.8)), 1.02)
    axes.set_yticklabels([])
    axes.set_title(f'{TITLES[results[0].variant]}: share of the best figure on each set (percent at its name)',
                   fontsize=9, pad=18)
    figure.legend(loc='outside lower center', ncols=len(names), frameon=False)
    return figure


def _sets(results: Sequence[Result]) -> list[str]:
    return list(dict.fromkeys(r.set for r in results))


def _backbones(results: Sequence[Result]) -> list[str]:
    return list(dict.fromkeys(r.backbone for r in results))
