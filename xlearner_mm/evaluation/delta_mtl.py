"""What several tasks gain or lose against a model for each task alone."""

import json
import math
from collections.abc import Collection, Mapping
from numbers import Real
from pathlib import Path
from typing import Any, Union


def delta_mtl(metrics: Mapping[str, float], baselines: Mapping[str, float],
              lower_is_better: Collection[str] = ()) -> float:
    """Give the mean relative change of several tasks against single-task models, in percent.

    The definition is that of Maninis et al. (CVPR 2019) and Vandenhende et al. (TPAMI 2021): the mean over the tasks
    of ``(metric - baseline) / baseline``, its sign turned round where lower is better. Take one metric for each task:
    a task with two counts twice.

    Args:
        metrics (Mapping[str, float]): What was measured; may hold more than ``baselines`` does.
        baselines (Mapping[str, float]): The single-task model's figure by name of the metric: these are compared.
        lower_is_better (Collection[str]): The names among them that are errors or losses.

    Returns:
        float: The change in percent; above 0 is better than the single-task models.

    Raises:
        ValueError: If there is no baseline, a metric is missing, a figure is not finite, a baseline is not above zero,
            or ``lower_is_better`` names a metric that has no baseline.
    """
    if not baselines:
        raise ValueError('baselines is empty: there is nothing to compare with. Give the figure of a single-task '
                         'model for each task.')
    lower = {lower_is_better} if isinstance(lower_is_better, str) else set(lower_is_better)
    unknown = sorted(lower - set(baselines))
    if unknown:
        raise ValueError(f'lower_is_better names {", ".join(unknown)}, which baselines does not have; it has '
                         f'{", ".join(baselines)}. Mend the names.')
    missing = [name for name in baselines if name not in metrics]
    if missing:
        raise ValueError(f'The metrics lack {", ".join(missing)}, for which there are baselines; they have '
                         f'{", ".join(metrics) or "none"}. Mend the names in baselines, or measure what is missing.')
    changes = [_change(name, metrics[name], baseline) * (-1 if name in lower else 1)
               for name, baseline in baselines.items()]
    return 100 * math.fsum(changes) / len(changes)


def read_baselines(baselines: Union[str, Path, Mapping[str, Any]]) -> dict[str, float]:
    """Read the figures of single-task models.

    Args:
        baselines (str or Path or Mapping): Figures by name of the metric, or a JSON file that holds such an object.

    Returns:
        dict[str, float]: Figures by name of the metric.

    Raises:
        OSError: If the file cannot be read.
        ValueError: If it is no JSON, no object, or a figure is no number.
    """
    where, found = 'baselines', baselines
    if not isinstance(baselines, Mapping):
        where = str(baselines)
        try:
            found = json.loads(Path(baselines).read_text())
        except ValueError as error:
            raise ValueError(f'{where} is no JSON: {error}. It must hold {{"name of a metric": number, '
                             '...}.') from error
    if not isinstance(found, Mapping):
        raise ValueError(f'{where} must hold an object {{"name of a metric": number, ...}}, got '
                         f'{type(found).__name__}.')
    for name, value in found.items():
        if not _is_number(value):
            raise ValueError(f'{where}: the figure of {name} is {value!r}, no number. Mend it.')
    return {name: float(value) for name, value in found.items()}


def _is_number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)


def _change(name: str, metric: float, baseline: float) -> float:
    """Relative change of a metric; its sign would mean nothing against a baseline below zero."""
    for what, value in (('metric', metric), ('baseline', baseline)):
        if not math.isfinite(value):
            raise ValueError(f'The {what} {name} is {value}: the mean change would say nothing. Measure it again.')
    if baseline <= 0:
        raise ValueError(f'The baseline of {name} is {baseline:g}: a change relative to it is not defined. Leave the '
                         'metric out of baselines, or train a single-task model that has learned something.')
    return (metric - baseline) / baseline
