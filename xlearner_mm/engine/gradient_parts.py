"""What parts of a model gradients are compared on."""

import logging
from bisect import bisect_left
from collections.abc import Iterator
from typing import Optional

from mmengine.logging import print_log

from xlearner_mm.models import ExpandedBackbone, StagedBackbone, XLearner
from xlearner_mm.models.expansion import StagedHRNet, build_staged_backbone
from xlearner_mm.utils import kind_of

from .param_stages import STEM, param_stages

WHOLE = 'all'


def gradient_parts(model: XLearner) -> dict[str, tuple[str, ...]]:
    """Name the parts of a model that each of its parameters belongs to (ours).

    ``all`` and, in a backbone, ``stem``, ``stage1`` and so on up to its last level, and ``output`` for what follows
    them. What belongs to a task, as a sub-backbone does, is in ``<task>.<part>`` as well. Besides there are ``links``,
    ``connectors``, other parts of the squeeze by their names, and ``branches``, in which sources of a task may share.

    Args:
        model (XLearner): The model; its backbones are run once, without touching any state.

    Returns:
        dict[str, tuple[str, ...]]: Parts by name of the parameter.
    """
    stages = {prefix + name: stage for prefix, staged in _backbones(model) for name, stage in _stages(staged).items()}
    parts: dict[str, tuple[str, ...]] = {}
    for name, _ in model.named_parameters():
        part, owner = _place(model, name)
        part = stages.get(name, part)
        parts[name] = (WHOLE, part) if owner is None else (WHOLE, part, f'{owner}.{part}')
    return parts


def _backbones(model: XLearner) -> Iterator[tuple[str, StagedBackbone]]:
    """Give the backbones, with what the names of their parameters begin with."""
    if isinstance(model.backbone, ExpandedBackbone):
        for task, staged in model.backbone.staged.items():
            yield f'backbone.sub_backbones.{task}.', staged
    else:
        yield 'backbone.', build_staged_backbone(model.backbone)
    if model.squeeze is not None:
        yield 'squeeze.student.', model.squeeze.staged


def _stages(staged: StagedBackbone) -> dict[str, str]:
    """Name the stage of each parameter of a backbone, as many as it has levels: a ViT has a dozen blocks."""
    try:
        stages = param_stages(staged)
    except ValueError as error:
        print_log(f'TaskInterferenceHook: the stages of {kind_of(staged.backbone)} cannot be told apart, so its '
                  f'gradients are compared as a whole only, as part "backbone" ({error}).', logger='current',
                  level=logging.WARNING)
        return {}
    # HRNet's stages are not its levels, which are resolutions.
    levels = tuple(range(4)) if isinstance(staged, StagedHRNet) else staged.levels
    return {name: _name(bisect_left(levels, stage), len(levels)) if stage != STEM else 'stem'
            for name, stage in stages.items()}


def _name(level: int, levels: int) -> str:
    return f'stage{level + 1}' if level < levels else 'output'


def _place(model: XLearner, name: str) -> tuple[str, Optional[str]]:
    """Give the part of a parameter by its name, and the task that it belongs to, if any."""
    top, *path = name.split('.')
    if top == 'branches':
        return 'branches', model.tasks[path[0]]
    if top == 'squeeze' and path[0] == 'branches':
        return 'branches', model.tasks[path[1]]
    if top == 'squeeze':
        return ('backbone' if path[0] == 'student' else path[0]), None
    if path[0] == 'reconciliation':
        return 'links', path[2]
    return 'backbone', path[1] if path[0] == 'sub_backbones' else None
