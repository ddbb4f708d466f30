"""Sources that share a backbone must give it the same numbers for the same colour."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mmcv.transforms import Normalize

from xlearner_mm.datasets.stock_sets import leaves
from xlearner_mm.models import ExpandedBackbone, Normalisation, XLearner


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
                yield name, source, _pipeline(leaf).then_by(branch.data_preprocessor)


def _pipeline(dataset: Any) -> Normalisation:
    value = Normalisation.none()
    for transform in getattr(getattr(dataset, 'pipeline', None), 'transforms', ()):
        if isinstance(transform, Normalize):
            value = value.then(transform.to_rgb, transform.mean, transform.std)
    return value
