"""Which share of the images, or of the turns, each source gets."""

import math
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

Shares = dict[str, Fraction]

_WHAT = 'train_dataloader.batch_sampler.ratios'
_FORMS = "dict(coco=1, ade20k=2), 'equal', 'proportional' (to the sizes) or dict(temperature=2.0)"


def parse_ratios(ratios: Any, sizes: Mapping[str, int]) -> list[tuple[int, Shares]]:
    """Read ratios of sources as exact shares (ours).

    Args:
        ratios (dict, str or list): ``dict(coco=1, ade20k=2)``; ``'equal'``; ``'proportional'`` to the sizes;
            ``dict(temperature=T)``, in proportion to ``size ** (1 / T)``; or a list of ``(step, ratios)``, each of
            which holds from that step of the phase on.
        sizes (Mapping[str, int]): Number of samples by source.

    Returns:
        list[tuple[int, dict[str, Fraction]]]: First step of each part, and shares by source that sum up to 1.

    Raises:
        TypeError: If ratios are of another form, or one is no number.
        ValueError: If a ratio is missing, not finite, negative or always 0, or the steps do not begin with 0 and grow.
    """
    is_schedule = isinstance(ratios, Sequence) and not isinstance(ratios, str)
    parts = [(0, ratios)] if not is_schedule else list(ratios)
    for part in parts:
        if not isinstance(part, Sequence) or isinstance(part, str) or len(part) != 2:
            raise TypeError(f'{_WHAT} as a list must hold pairs (step, ratios), got {part!r}.')
    steps = [step for step, _ in parts]
    whole = all(isinstance(step, int) and not isinstance(step, bool) for step in steps)
    if not whole or steps[:1] != [0] or sorted(set(steps)) != steps:
        raise ValueError(f'{_WHAT} has parts that begin at the steps {steps}; these must be integers that grow from 0.')
    schedule = [(step, _shares(part, sizes)) for step, part in parts]
    never = [source for source in sizes if not any(shares[source] for _, shares in schedule)]
    if never:
        raise ValueError(f'{_WHAT}={ratios!r} never draws from source {", ".join(map(repr, never))}: its quota would '
                         'always be 0. Give it a positive ratio, or take it out of the data set and the model.')
    return schedule


def _shares(ratios: Any, sizes: Mapping[str, int]) -> Shares:
    """Give one part's shares of the whole."""
    weights = _weights(ratios, sizes)
    total = sum(weights.values())
    if not total:
        raise ValueError(f'{_WHAT}={ratios!r} are all 0. Give at least one source a positive one.')
    return {source: weights[source] / total for source in sizes}


def _weights(ratios: Any, sizes: Mapping[str, int]) -> Shares:
    if isinstance(ratios, str) and ratios in ('equal', 'proportional'):
        return {source: Fraction(1 if ratios == 'equal' else size) for source, size in sizes.items()}
    if not isinstance(ratios, Mapping):
        raise TypeError(f'{_WHAT} must be {_FORMS}, or a list of (step, ratios); got {ratios!r}.')
    if set(ratios) == {'temperature'} and 'temperature' not in sizes:
        temperature = _number(ratios['temperature'], 'temperature')
        if not temperature:
            raise ValueError(f'{_WHAT}.temperature=0 must be positive: 1 is proportional to the sizes, a large one '
                             'nearly equal.')
        largest = max(sizes.values())
        # To nine digits: a share is a ratio of integers that stay small when they are added up.
        return {s: Fraction(max(1, round(1e9 * (n / largest)**(1 / float(temperature))))) for s, n in sizes.items()}
    missing, unknown = [s for s in sizes if s not in ratios], [s for s in ratios if s not in sizes]
    if missing or unknown:
        raise ValueError(f'{_WHAT} has no value for the sources {missing} and one for the unknown {unknown}. Give it '
                         f'one for each of {list(sizes)}.')
    return {source: _number(ratios[source], source) for source in sizes}


def _number(value: Any, name: str) -> Fraction:
    """Read a number as it was written: 0.1 is a tenth."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f'{_WHAT}.{name}={value!r} must be a number.')
    if not math.isfinite(value) or value < 0:
        raise ValueError(f'{_WHAT}.{name}={value!r} must be finite and not negative.')
    return Fraction(str(value))
