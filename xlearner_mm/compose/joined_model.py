"""Fitting the models of several stock configs together: a sub-backbone a task, and the student."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Optional

from xlearner_mm.models.expansion import StagedBackbone
from xlearner_mm.registry import MODELS

from .stock_source import plain, read_source, with_prefix
from .taken_model import OPTIONS, build_backbone
from .taken_source import TakenSource


@dataclass(frozen=True)
class JoinedModel:
    """What the sources have in common.

    Attributes:
        backbones (dict[str, dict]): Sub-backbone by task.
        student (dict): The student.
        output_strides (dict[str, int]): Output stride by task, where it is fixed.
        left_out (dict[str, list[str]]): By source, settings of its backbone that another source of its task decided.
    """

    backbones: dict[str, dict[str, Any]]
    student: dict[str, Any]
    output_strides: dict[str, int]
    left_out: dict[str, list[str]]


def join_models(sources: Mapping[str, TakenSource], student: Optional[str], scratch: bool) -> JoinedModel:
    """Give every task one sub-backbone, and choose the student.

    Args:
        sources (Mapping[str, TakenSource]): What was taken, by source.
        student (str, optional): A task, or ``<library>:<config>``; the first task by default.
        scratch (bool): Leave out weights to start from, and train what the stock configs freeze.

    Returns:
        JoinedModel: Sub-backbones and student.

    Raises:
        ValueError: If two sources of a task have different backbones, or the student is not valid or cannot give a
            fixed output stride.
    """
    backbones, left_out = _join_backbones(sources, scratch)
    strides = _output_strides(sources)
    chosen, staged = _choose_student(student, sources, backbones)
    _check_output_strides(chosen, staged, sources, strides)
    return JoinedModel(backbones, chosen, strides, left_out)


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


def from_scratch(backbone: Mapping[str, Any]) -> dict[str, Any]:
    """Take the weights to start from, and what they allow to freeze, out of a backbone's config.

    Args:
        backbone (Mapping): The config.

    Returns:
        dict: A copy that trains whole from random weights.
    """
    left_out = ('init_cfg', 'pretrained', 'frozen_stages', 'convert_weights')
    cfg = {key: value for key, value in backbone.items() if key not in left_out}
    if getattr(build_backbone('student', cfg).backbone, 'norm_eval', False):  # mmdet's default for some families
        cfg['norm_eval'] = False
    if isinstance(cfg.get('norm_cfg'), Mapping) and cfg['norm_cfg'].get('requires_grad') is False:
        cfg['norm_cfg'] = dict(cfg['norm_cfg'], requires_grad=True)
    return cfg


def _join_backbones(sources: Mapping[str, TakenSource], scratch: bool) -> tuple[dict[str, dict], dict[str, list[str]]]:
    """Give every task the backbone of its first source; the others must have the same."""
    first: dict[str, str] = {}
    left_out: dict[str, list[str]] = {}
    for name, source in sources.items():
        owner = first.setdefault(source.task, name)
        kept, own = sources[owner].model.backbone, source.model.backbone
        differing = [key for key in {**kept, **own} if kept.get(key) != own.get(key)]
        fixed = [key for key in differing if key not in OPTIONS]
        if fixed:
            told = ', '.join(f'{key}={kept.get(key)!r} and {own.get(key)!r}' for key in fixed)
            raise ValueError(f'Sources {owner!r} and {name!r} of task {source.task!r} have different backbones: '
                             f'{told}. Give one of them a task of its own (--task {name}=...), or take configs of one '
                             'backbone.')
        left_out[name] = [f'backbone.{key}={own.get(key)!r}: the sub-backbone is that of {owner}' for key in differing
                          if key != 'out_indices']
    backbones = {}
    for task, owner in first.items():
        cfg = sources[owner].model.backbone
        readers = [source for source in sources.values() if source.task == task]
        backbones[task], _ = _with_stages(from_scratch(cfg) if scratch else cfg, readers)
    return backbones, left_out


def _choose_student(student: Optional[str], sources: Mapping[str, TakenSource],
                    backbones: Mapping[str, dict]) -> tuple[dict[str, Any], StagedBackbone]:
    """Give the config of the student, and it built."""
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
    return _with_stages(cfg, sources.values())


def _with_stages(backbone: Mapping[str, Any],
                 readers: Iterable[TakenSource]) -> tuple[dict[str, Any], StagedBackbone]:
    """Let a backbone that has output norms for its own ``out_indices`` only name every stage that is read."""
    needed = {index for source in readers for index in source.model.out_indices}
    staged = build_backbone('student', backbone)
    if needed <= set(staged.emits()) or max(needed) >= staged.num_stages:  # the latter is refused by the ports
        return dict(backbone), staged
    cfg = dict(backbone, out_indices=tuple(sorted({*needed, *staged.emits()})))
    return cfg, build_backbone('student', cfg)


def _output_strides(sources: Mapping[str, TakenSource]) -> dict[str, int]:
    """Output stride by task; sources of one task share a sub-backbone and its stride."""
    strides: dict[str, Optional[int]] = {}
    for name, source in sources.items():
        own = source.model.output_stride
        if strides.setdefault(source.task, own) != own:
            raise ValueError(f'Sources of task {source.task!r} want backbones of output stride '
                             f'{strides[source.task] or 32} and, for {name!r}, {own or 32}. Give {name!r} a task of '
                             'its own, or take a config of the same stride.')
    return {task: stride for task, stride in strides.items() if stride is not None}


def _check_output_strides(student: Mapping[str, Any], staged: StagedBackbone, sources: Mapping[str, TakenSource],
                          strides: Mapping[str, int]) -> None:
    """Refuse a student that cannot give the fixed output stride of a task."""
    for task, stride in strides.items():
        try:
            staged.dilated(stride)
        except ValueError as error:
            names = ', '.join(repr(name) for name, source in sources.items() if source.task == task)
            raise ValueError(f'The student {student["type"]} cannot give the output stride {stride} that {names} of '
                             f'task {task!r} reads. Choose a ResNet as the student (--student {task}), or take configs '
                             'without dilation.') from error
