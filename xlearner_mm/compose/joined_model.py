"""Fitting the models of several stock configs together: a sub-backbone a task, and the student."""

from collections.abc import Mapping
from typing import Any, Optional

from xlearner_mm.registry import MODELS

from .stock_source import StockSource, plain, read_source, with_prefix
from .taken_model import OPTIONS, TakenModel, build_backbone

_WEIGHTS = ('init_cfg', 'pretrained')


def join_backbones(sources: Mapping[str, StockSource], models: Mapping[str, TakenModel],
                   scratch: bool) -> tuple[dict[str, dict], dict[str, list[str]]]:
    """Give every task one sub-backbone.

    Args:
        sources (Mapping[str, StockSource]): The sources.
        models (Mapping[str, TakenModel]): What was taken of them.
        scratch (bool): Leave out weights to start from, and train what the stock config freezes.

    Returns:
        tuple: Sub-backbone by task, and by source what was changed.

    Raises:
        ValueError: If two sources of a task have different backbones.
    """
    backbones: dict[str, dict] = {}
    first: dict[str, str] = {}
    notes: dict[str, list[str]] = {name: [] for name in sources}
    for name, source in sources.items():
        own = from_scratch(models[name].backbone) if scratch else dict(models[name].backbone)
        if source.task not in backbones:
            backbones[source.task], first[source.task] = own, name
            continue
        kept = backbones[source.task]
        differing = [key for key in {**kept, **own} if kept.get(key) != own.get(key)]
        fixed = [key for key in differing if key not in OPTIONS]
        if fixed:
            told = ', '.join(f'{key}={kept.get(key)!r} and {own.get(key)!r}' for key in fixed)
            raise ValueError(f'Sources {first[source.task]!r} and {name!r} of task {source.task!r} have different '
                             f'backbones: {told}. Give one of them a task of its own (--task {name}=...), or '
                             'take configs of one backbone.')
        notes[name] += [f'backbone.{key}={own.get(key)!r}: the sub-backbone is that of {first[source.task]}'
                        for key in differing if key != 'out_indices']
    for task, backbone in backbones.items():
        _name_stages(backbone, [models[name] for name, source in sources.items() if source.task == task])
    return backbones, notes


def from_scratch(backbone: Mapping[str, Any]) -> dict[str, Any]:
    """Take the weights to start from, and what they allow to freeze, out of a backbone's config.

    Args:
        backbone (Mapping): The config.

    Returns:
        dict: A copy that trains whole from random weights.
    """
    cfg = {key: value for key, value in backbone.items() if key not in _WEIGHTS + ('frozen_stages', 'convert_weights')}
    if cfg.get('norm_eval'):
        cfg['norm_eval'] = False
    elif str(cfg['type']) == 'mmdet.ResNet':
        cfg.setdefault('norm_eval', False)  # its default is True
    if isinstance(cfg.get('norm_cfg'), Mapping) and cfg['norm_cfg'].get('requires_grad') is False:
        cfg['norm_cfg'] = dict(cfg['norm_cfg'], requires_grad=True)
    return cfg


def choose_student(student: Optional[str], sources: Mapping[str, StockSource], models: Mapping[str, TakenModel],
                   backbones: Mapping[str, dict]) -> dict[str, Any]:
    """Give the config of the student.

    Args:
        student (str, optional): A task, or ``<library>:<config>``; the first task by default.
        sources (Mapping[str, StockSource]): The sources.
        models (Mapping[str, TakenModel]): What was taken of them.
        backbones (Mapping[str, dict]): Sub-backbone by task.

    Returns:
        dict: The config; it trains whole, from scratch.

    Raises:
        ValueError: If it is neither.
    """
    student = student or next(iter(backbones))
    if student in backbones:
        cfg = from_scratch(backbones[student])
    elif ':' in student:
        read = read_source('student', student)
        backbone = plain(read.cfg.model.get('backbone') or {}, read.library)
        if 'type' not in backbone:
            raise ValueError(f'student={student!r} has no model.backbone.')
        cfg = from_scratch(with_prefix(backbone, read.library))
    else:
        raise ValueError(f'student={student!r} must be one of the tasks {", ".join(backbones)}, or <library>:<config>.')
    _name_stages(cfg, list(models.values()))
    return cfg


def _name_stages(backbone: dict[str, Any], models: list[TakenModel]) -> None:
    """Let a backbone that has output norms for its own ``out_indices`` only name every stage that is read."""
    needed = sorted({index for model in models for index in model.out_indices})
    staged = build_backbone('student', backbone)
    if set(needed) - set(staged.emits()) and max(needed) < staged.num_stages:
        backbone['out_indices'] = tuple(sorted({*needed, *staged.emits()}))


def check_output_strides(student: Mapping[str, Any], sources: Mapping[str, StockSource],
                         strides: Mapping[str, int]) -> None:
    """Refuse a student that cannot give the fixed output stride of a task.

    Args:
        student (Mapping): Config of the student.
        sources (Mapping[str, StockSource]): The sources.
        strides (Mapping[str, int]): Output stride by task, where it is fixed.

    Raises:
        ValueError: If it cannot.
    """
    for task, stride in strides.items():
        try:
            build_backbone('student', student).dilated(stride)
        except ValueError as error:
            names = ', '.join(repr(name) for name, source in sources.items() if source.task == task)
            raise ValueError(f'The student {student["type"]} cannot give the output stride {stride} that {names} of '
                             f'task {task!r} reads. Choose a ResNet as the student (--student {task}), or take configs '
                             'without dilation.') from error


def check_composed(model: Any) -> None:
    """Build the whole model without its weights: what does not fit together shows now.

    Args:
        model (dict): Config of the model.

    Raises:
        ValueError: If the parts do not fit.
    """
    try:
        MODELS.build(model)
    except Exception as error:
        raise ValueError(f'The sources do not fit together: {error}') from error
