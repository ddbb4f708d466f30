"""Multipliers of learning rate and weight decay by task, source and part of the model."""

import math
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple, Optional

from torch import nn

from xlearner_mm.models import XLearner

KINDS = ('tasks', 'sources', 'parts')


class Multipliers(NamedTuple):
    """What learning rate and weight decay of a parameter are multiplied by; named as stock ``custom_keys`` do."""

    lr_mult: float = 1.0
    decay_mult: float = 1.0


class Place(NamedTuple):
    """Where a parameter belongs; no task where it is nobody's, no source where it is no single source's."""

    part: str
    task: Optional[str] = None
    source: Optional[str] = None


def param_multipliers(model: nn.Module, cfg: Mapping[str, Any]) -> dict[str, Multipliers]:
    """Multiply what is set for a parameter's task, source and part (ours).

    Args:
        model (nn.Module): The model; without any of the settings it may be of any class.
        cfg (Mapping[str, Any]): ``tasks``, ``sources`` and ``parts``, each ``dict(lr_mult=..., decay_mult=...)`` by
            name; other keys are left alone.

    Returns:
        dict[str, Multipliers]: By name of the parameter, for those that a setting reaches.

    Raises:
        TypeError: If a setting is no dict by name, or the model is no :class:`XLearner`.
        ValueError: If a name or a key does not exist, or a number is not valid.
    """
    settings = {kind: _parse(cfg[kind], f'paramwise_cfg.{kind}') for kind in KINDS if kind in cfg}
    if not settings:
        return {}
    if not isinstance(model, XLearner):
        raise TypeError(f'paramwise_cfg.{next(iter(settings))} is for an xlearner_mm.XLearner, got '
                        f'{type(model).__name__}. Use custom_keys for another model.')
    places = param_places(model)
    tasks = dict.fromkeys([*model.tasks.values(), *(place.task for place in places.values() if place.task)])
    known: dict[str, list[str]] = dict(tasks=list(tasks), sources=list(model.tasks),
                                       parts=list(dict.fromkeys(place.part for place in places.values())))
    for kind, by_name in settings.items():
        _check_names(by_name, known[kind], kind)
    found = {}
    for name, place in places.items():
        reached = [settings[kind][own] for kind, own in zip(KINDS, (place.task, place.source, place.part), strict=True)
                   if own is not None and own in settings.get(kind, ())]
        if reached:
            found[name] = Multipliers(math.prod(m.lr_mult for m in reached), math.prod(m.decay_mult for m in reached))
    return found


def param_places(model: XLearner) -> dict[str, Place]:
    """Say where every parameter belongs, by the layout of the state dict.

    A task has its sub-backbone, the links into it and the branches of its sources. What the sources of a task share by
    ``model.shared`` is the task's, and no single source's.

    Args:
        model (XLearner): The model.

    Returns:
        dict[str, Place]: By name of the parameter.
    """
    shared = tuple(_shared_parts(model))
    return {name: _place(name, model.tasks, shared) for name, _ in model.named_parameters()}


def part_of(name: str) -> str:
    """Name the part of an X-Learner model that a parameter is in; of another model its first attribute.

    Args:
        name (str): Name of the parameter.

    Returns:
        str: Such as ``sub_backbones``, ``backbone`` (one for all tasks), ``branches`` or ``student``.
    """
    first, *rest = name.split('.')
    if rest and (first == 'squeeze' or (first == 'backbone' and rest[0] in ('sub_backbones', 'reconciliation'))):
        return rest[0]
    return first


def _place(name: str, tasks: Mapping[str, str], shared: tuple[str, ...]) -> Place:
    steps, part = name.split('.'), part_of(name)
    if part == 'sub_backbones':
        return Place(part, steps[2])
    if part == 'reconciliation':
        return Place(part, steps[3])  # backbone.reconciliation.links.<receiver>.<other>.<read>_to_<stage>
    if part == 'branches':
        source = steps[steps.index('branches') + 1]
        return Place(part, tasks[source], None if name.startswith(shared) else source)
    return Place(part)


def _shared_parts(model: XLearner) -> Iterator[str]:
    """Give the beginnings of names of parameters that several sources use."""
    own = {} if model.squeeze is None else {'squeeze.branches': model.squeeze.branches}
    for setting, branches in {'branches': model.branches, **own}.items():
        for task, paths in model.shared.paths.items():
            sources = [source for source in branches if model.tasks[source] == task]
            if len(sources) > 1:
                owner = model.shared.owner(sources[0], branches)
                yield from (f'{setting}.{owner}.{path}.' for path in paths)


def _parse(cfg: Any, what: str) -> dict[str, Multipliers]:
    """Read a setting."""
    if not isinstance(cfg, Mapping):
        raise TypeError(f'{what} must be dict(lr_mult=..., decay_mult=...) by name, got {cfg!r}.')
    return {name: _parse_one(one, f'{what}.{name}') for name, one in cfg.items()}


def _parse_one(cfg: Any, what: str) -> Multipliers:
    if not isinstance(cfg, Mapping):
        raise TypeError(f'{what} must be dict(lr_mult=..., decay_mult=...), got {cfg!r}.')
    unknown = sorted(set(cfg) - set(Multipliers._fields))
    if unknown:
        raise ValueError(f'{what} has unknown keys {unknown}; it takes {", ".join(Multipliers._fields)}.')
    for key, value in cfg.items():
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < float('inf'):
            raise ValueError(f'{what}.{key}={value!r} must be a number from 0 on.')
    return Multipliers(**cfg)


def _check_names(found: Mapping[str, Any], known: list[str], kind: str) -> None:
    unknown = [name for name in found if name not in known]
    if unknown:
        raise ValueError(f'paramwise_cfg.{kind} names {unknown}, which the model does not have. Its {kind}: '
                         f'{", ".join(known)}.')
