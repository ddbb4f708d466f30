"""Sources that share a backbone must give it the same numbers for the same colour."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from mmcv.transforms import Normalize

from xlearner_mm.datasets.stock_sets import leaves
from xlearner_mm.models import ExpandedBackbone, XLearner


class Normalisation(NamedTuple):
    """What becomes of a pixel as it was loaded: ``(pixel - mean) / std``, after the channels were swapped or not."""

    swapped: bool
    mean: np.ndarray
    std: np.ndarray

    def then(self, swap: bool, mean: Any, std: Any) -> 'Normalisation':
        """Give this one followed by another.

        Args:
            swap (bool): Whether the other turns the order of the channels round.
            mean (Sequence[float]): Its mean, by channel.
            std (Sequence[float]): Its standard deviation, by channel.

        Returns:
            Normalisation: Both as one.
        """
        own_mean, own_std = (self.mean[::-1], self.std[::-1]) if swap else (self.mean, self.std)
        mean, std = _flat(mean), _flat(std)
        return Normalisation(self.swapped != swap, own_mean + own_std * mean, own_std * std)

    def equals(self, other: 'Normalisation') -> bool:
        """Say whether both do the same, up to rounding.

        Args:
            other (Normalisation): The other.

        Returns:
            bool: Whether they are equal.
        """
        return (self.swapped == other.swapped and self.mean.size == other.mean.size
                and np.allclose(self.mean, other.mean, 1e-5, 1e-5) and np.allclose(self.std, other.std, 1e-5, 1e-5))

    def __str__(self) -> str:
        """As a user writes it."""
        order = 'channels swapped (BGR to RGB)' if self.swapped else 'channels as loaded'
        if np.all(self.mean == 0) and np.all(self.std == 1):
            return f'{order}, no mean and std'
        return f'{order}, mean {_text(self.mean)}, std {_text(self.std)}'


# What mmengine and mmdet, the classic mmseg, and mmpretrain call it.
_SWAPS = ('_channel_conversion', 'channel_conversion', 'to_rgb')
_NONE = Normalisation(False, np.zeros(3), np.ones(3))


def normalisation_findings(model: XLearner, datasets: Mapping[str, Any]) -> list[str]:
    """Find sources that share a backbone but not the normalisation of its input (ours).

    Both what the pipelines do (``Normalize``) and what the data preprocessors do counts.

    Args:
        model (XLearner): The model.
        datasets (Mapping[str, Dataset]): Stock training data set by source.

    Returns:
        list[str]: What is wrong, one a backbone that is shared.
    """
    used = list(_normalisations(model, datasets))
    findings = []
    for sources in _sharing(model):
        groups = _group([(name, value) for name, source, value in used if source in sources])
        if len(groups) > 1:
            parts = '; '.join(f'{", ".join(names)}: {value}' for value, names in groups)
            findings.append(
                f'Sources that share a backbone are normalised differently: {parts}. One colour would reach the '
                'backbone as different numbers. Mend mean, std and bgr_to_rgb (in mmpretrain to_rgb) in '
                'model.branches.<source>.model.data_preprocessor.')
    return findings


def _group(named: Sequence[tuple[str, Normalisation]]) -> list[tuple[Normalisation, list[str]]]:
    """Put together the names with equal normalisations."""
    groups: list[tuple[Normalisation, list[str]]] = []
    for name, value in named:
        names = next((names for other, names in groups if other.equals(value)), None)
        if names is None:
            groups.append((value, [name]))
        elif name not in names:
            names.append(name)
    return groups


def _sharing(model: XLearner) -> list[list[str]]:
    """Give the groups of sources whose images reach a common backbone."""
    backbone, tasks = model.backbone, model.tasks
    apart = isinstance(backbone, ExpandedBackbone) and model.squeeze is None and not any(
        backbone.reconciliation.sources_of(task) for task in backbone.tasks)
    if not apart:
        return [list(tasks)]
    return [[source for source in tasks if tasks[source] == task] for task in backbone.tasks]


def _normalisations(model: XLearner, datasets: Mapping[str, Any]) -> Iterator[tuple[str, str, Normalisation]]:
    """Give name, source and normalisation of every way from a data set into a backbone."""
    for source in model.tasks:
        models = [(repr(source), model.branches[source])]
        if model.squeeze is not None and source in model.squeeze.branches:
            models.append((f'{source!r} in the squeeze', model.squeeze.branches[source]))
        for name, branch in models:
            for leaf in leaves(datasets[source]):
                yield name, source, _preprocess(_pipeline(leaf), branch.data_preprocessor)


def _pipeline(dataset: Any) -> Normalisation:
    value = _NONE
    for transform in getattr(getattr(dataset, 'pipeline', None), 'transforms', ()):
        if isinstance(transform, Normalize):
            value = value.then(transform.to_rgb, transform.mean, transform.std)
    return value


def _preprocess(value: Normalisation, preprocessor: Any) -> Normalisation:
    """Add what a stock data preprocessor does; mmdet's for several branches holds the one that normalises."""
    preprocessor = getattr(preprocessor, 'data_preprocessor', preprocessor)
    swap = any(getattr(preprocessor, name, False) for name in _SWAPS)
    mean, std = getattr(preprocessor, 'mean', None), getattr(preprocessor, 'std', None)
    return value.then(swap, [0.] if mean is None else mean, [1.] if std is None else std)


def _flat(values: Any) -> np.ndarray:
    return np.asarray(values.cpu() if hasattr(values, 'cpu') else values, dtype=np.float64).ravel()


def _text(values: np.ndarray) -> str:
    return f'({", ".join(f"{value:g}" for value in values)})'
