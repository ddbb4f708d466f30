"""What a downstream suite found: records, and their table."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import mean, stdev
from typing import Optional

from xlearner_mm.utils import atomic_write

VARIANTS = ('full', 'low_data', 'knn')
TITLES = dict(full='All training data', low_data='10 % of the training data, frozen backbone',
              knn='k nearest neighbours')


@dataclass(frozen=True)
class Result:
    """A figure of a backbone on a set.

    Attributes:
        variant (str): ``full``, ``low_data`` or ``knn``.
        set (str): The set.
        metric (str): Its metric.
        backbone (str): The backbone.
        seed (int): Seed of the run.
        percent (float): The figure, in percent.
    """

    variant: str
    set: str
    metric: str
    backbone: str
    seed: int
    percent: float


def write_results(results: Sequence[Result], folder: Path) -> list[Path]:
    """Write ``results.json`` and ``results.md``.

    Args:
        results (Sequence[Result]): The results.
        folder (Path): Where to.

    Returns:
        list[Path]: The files.
    """
    paths = [folder / 'results.json', folder / 'results.md']
    atomic_write(paths[0], json.dumps([asdict(r) for r in results], indent=1).encode())
    atomic_write(paths[1], markdown(results).encode())
    return paths


def read_results(path: Path) -> list[Result]:
    """Read a ``results.json``.

    Args:
        path (Path): The file.

    Returns:
        list[Result]: The results.
    """
    return [Result(**record) for record in json.loads(path.read_text())]


def markdown(results: Sequence[Result]) -> str:
    """Write results as Markdown, a table a variant: a row a set, a column a backbone, mean ± standard deviation.

    Args:
        results (Sequence[Result]): The results.

    Returns:
        str: The tables.
    """
    tables = []
    for variant in VARIANTS:
        own = [r for r in results if r.variant == variant]
        if own:
            tables.append(f'{TITLES[variant]}, percent, {_seeds(own)}:\n\n{_table(own)}')
    return '\n'.join(tables)


def values(results: Sequence[Result], set_name: str, backbone: str) -> list[float]:
    """Pick the figures of a backbone on a set, one a seed.

    Args:
        results (Sequence[Result]): Results of one variant.
        set_name (str): The set.
        backbone (str): The backbone.

    Returns:
        list[float]: In percent.
    """
    return [r.percent for r in results if (r.set, r.backbone) == (set_name, backbone)]


def average(results: Sequence[Result], backbone: str) -> Optional[float]:
    """Average a backbone over all sets, each with its mean over the seeds.

    Args:
        results (Sequence[Result]): Results of one variant.
        backbone (str): The backbone.

    Returns:
        float or None: In percent; None where it lacks a set.
    """
    found = [values(results, name, backbone) for name in dict.fromkeys(r.set for r in results)]
    return mean(map(mean, found)) if all(found) else None


def _table(results: Sequence[Result]) -> str:
    names, metrics = list(dict.fromkeys(r.backbone for r in results)), {r.set: r.metric for r in results}
    lines = ['| set | metric | ' + ' | '.join(names) + ' |', '|---|---' + '|---:' * len(names) + '|']
    for set_name, metric in metrics.items():
        lines.append(f'| {set_name} | {metric} | '
                     + ' | '.join(_cell(values(results, set_name, name)) for name in names) + ' |')
    if len(metrics) > 1:
        means = [average(results, name) for name in names]
        lines.append('| mean | | ' + ' | '.join('–' if m is None else f'{m:.1f}' for m in means) + ' |')
    return '\n'.join(lines) + '\n'


def _cell(found: Sequence[float]) -> str:
    if not found:
        return '–'
    return f'{mean(found):.1f}' + (f' ± {stdev(found):.1f}' if len(found) > 1 else '')


def _seeds(results: Sequence[Result]) -> str:
    number = len({r.seed for r in results})
    return '1 seed' if number == 1 else f'{number} seeds'
