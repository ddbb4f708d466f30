"""Stock configs of mmdet, mmseg and mmpretrain as one X-Learner config."""

import itertools
from collections.abc import Mapping
from typing import Any, Optional

from xlearner_mm.setup_env import register_all_modules
from xlearner_mm.version import __version__

from .composition import Composition
from .config_text import Name, assignment
from .joined_model import check_composed, check_output_strides, choose_student, join_backbones
from .stock_source import TASKS, StockSource, read_source
from .taken_data import TakenData, take_data
from .taken_model import TakenModel, take_model


def compose(sources: Mapping[str, str],
            tasks: Optional[Mapping[str, str]] = None,
            student: Optional[str] = None,
            expansion_iters: int = 90000,
            squeeze_iters: int = 90000,
            lr: float = 1e-4,
            scratch: bool = False) -> Composition:
    """Make one X-Learner config of stock configs (ours).

    Model, data preprocessor, pipelines, data sets, loaders and metrics of every source are taken over unchanged; only
    the backbone of the model becomes the sub-backbone of its task. Nothing is downloaded or installed.

    Args:
        sources (Mapping[str, str]): ``<library>:<config>`` by source, e.g.
            ``dict(coco='mmdet:faster_rcnn/faster-rcnn_r50_fpn_1x_coco.py')``.
        tasks (Mapping[str, str], optional): Task of some sources; by default ``cls``, ``det`` or ``seg``, by
            the library.
        student (str, optional): Task whose backbone the student is built as, or ``<library>:<config>`` whose backbone
            it takes; the first task by default. It starts from scratch.
        expansion_iters (int): Iterations of the expansion.
        squeeze_iters (int): Iterations of the squeeze.
        lr (float): Learning rate of AdamW.
        scratch (bool): Train the sub-backbones from scratch and whole, whatever the stock configs start from.

    Returns:
        Composition: The config and what it was made of.

    Raises:
        FileNotFoundError: If there is no such config.
        ImportError: If a config imports a module that is not installed.
        ValueError: If a source cannot be a branch, or the sources do not fit together.
    """
    register_all_modules()
    _check_settings(sources, tasks or {}, expansion_iters, squeeze_iters, lr)
    read = {name: read_source(name, stock, (tasks or {}).get(name)) for name, stock in sources.items()}
    models = {name: take_model(source) for name, source in read.items()}
    data = {name: take_data(source) for name, source in read.items()}
    backbones, notes = join_backbones(read, models, scratch)
    chosen = choose_student(student, read, models, backbones)
    strides = _output_strides(read, models)
    check_output_strides(chosen, read, strides)
    text = _write(read, models, data, backbones, chosen, strides, (expansion_iters, squeeze_iters, lr))
    composition = Composition(text, {name: _taken(read[name], models[name], data[name], scratch) for name in read},
                              {name: models[name].left_out + notes[name] + data[name].left_out for name in read})
    check_composed(composition.config.model)
    return composition


def _check_settings(sources: Mapping[str, str], tasks: Mapping[str, str], expansion_iters: int, squeeze_iters: int,
                    lr: float) -> None:
    if not sources:
        raise ValueError('There is nothing to compose: name at least one source, e.g. '
                         'coco=mmdet:faster_rcnn/faster-rcnn_r50_fpn_1x_coco.py.')
    unknown = set(tasks) - set(sources)
    if unknown:
        raise ValueError(f'Tasks are given for {sorted(unknown)}, which are no sources: {", ".join(sources)}.')
    for name, value in (('expansion_iters', expansion_iters), ('squeeze_iters', squeeze_iters), ('lr', lr)):
        if not value > 0:
            raise ValueError(f'{name}={value!r} must be positive.')


def _output_strides(sources: Mapping[str, StockSource], models: Mapping[str, TakenModel]) -> dict[str, int]:
    """Output stride by task; sources of one task share a sub-backbone and its stride."""
    strides: dict[str, Optional[int]] = {}
    for name, source in sources.items():
        own = models[name].output_stride
        if strides.setdefault(source.task, own) != own:
            raise ValueError(f'Sources of task {source.task!r} want backbones of output stride '
                             f'{strides[source.task] or 32} and, for {name!r}, {own or 32}. Give {name!r} a task of '
                             'its own, or take a config of the same stride.')
    return {task: stride for task, stride in strides.items() if stride is not None}


def _taken(source: StockSource, model: TakenModel, data: TakenData, scratch: bool) -> list[str]:
    """Say what a source consists of."""
    backbone = model.branch['backbone']
    metrics = data.val_evaluator if isinstance(data.val_evaluator, list) else [data.val_evaluator]
    validation = ', '.join(metric['type'] for metric in metrics if metric) or 'none'
    stride = f', at output stride {model.output_stride}' if model.output_stride else ''
    weights = 'from scratch' if scratch or not model.starts_from else f'from {model.starts_from}'
    return [f'task {source.task}, {source.library} {source.config}',
            f'model {model.branch["type"]}; reads {backbone.get("output", "maps")} of the stages '
            f'{model.out_indices} of {model.backbone["type"]}{stride}, which starts {weights}',
            f'data {data.dataset["type"]}, {data.batch_size} images a step; validation: {validation}']


def _write(sources: Mapping[str, StockSource], models: Mapping[str, TakenModel], data: Mapping[str, TakenData],
           backbones: Mapping[str, dict], student: dict[str, Any], strides: Mapping[str, int],
           schedule: tuple[int, int, float]) -> str:
    """Write the config: a section a source, then what joins them."""
    parts = [f'# An X-Learner composed of stock configs by xlearner_mm {__version__}:\n'
             + ''.join(f'#   {name}: {source.library}, {source.config}\n' for name, source in sources.items())
             + "_base_ = 'xlearner_mm::_base_/default_runtime.py'\n" + _write_imports(sources)]
    for name, source in sources.items():
        taken = data[name]
        parts.append(f'# {name}: {source.task}\n' + assignment(f'{name}_model', models[name].branch)
                     + assignment(f'{name}_data', taken.dataset)
                     + (assignment(f'{name}_val', taken.val_dataloader) if taken.val_dataloader else '')
                     + (assignment(f'{name}_metrics', taken.val_evaluator) if taken.val_evaluator else ''))
    parts.append('# One sub-backbone a task, and the student.\n'
                 + ''.join(assignment(f'{task}_backbone', cfg) for task, cfg in backbones.items())
                 + assignment('student', student))
    parts += [assignment(name, value) for name, value in _joined(sources, data, backbones, strides).items()]
    parts.append(_write_schedule(*schedule))
    return '\n'.join(parts)


def _write_imports(sources: Mapping[str, StockSource]) -> str:
    """What the stock configs import beside the libraries, which are all imported anyway."""
    named = [(source.cfg.get('custom_imports') or {}).get('imports', ()) for source in sources.values()]
    own = [name for name in dict.fromkeys(itertools.chain(*named)) if name.split('.', 1)[0] not in TASKS]
    if not own:
        return ''
    return assignment('custom_imports', dict(imports=Name(f'[*_base_.custom_imports.imports, {str(own)[1:]}')))


def _joined(sources: Mapping[str, StockSource], data: Mapping[str, TakenData], backbones: Mapping[str, dict],
            strides: Mapping[str, int]) -> dict[str, Any]:
    """What joins the sources: model, training data, validation."""
    validated = [name for name in sources if data[name].val_dataloader]
    model = dict(
        type='xlearner_mm.XLearner',
        backbone=dict(
            type='xlearner_mm.ExpandedBackbone',
            sub_backbones={task: Name(f'{task}_backbone') for task in backbones}),
        branches={name: dict(task=source.task, model=Name(f'{name}_model')) for name, source in sources.items()},
        squeeze=dict(student=Name('student'), standardizer=dict(type='xlearner_mm.BatchStandardizer')))
    if strides:
        model['output_stride'] = dict(strides)
    loader = dict(
        batch_size={name: data[name].batch_size for name in sources},
        num_workers=4,
        persistent_workers=True,
        sampler=dict(type='DefaultSampler', shuffle=False),
        batch_sampler=dict(type='xlearner_mm.MultiSourceBatchSampler'),
        collate_fn=dict(type='xlearner_mm.collate_by_source'),
        dataset=dict(type='xlearner_mm.MultiSourceDataset', sources={
            name: dict(task=source.task, dataset=Name(f'{name}_data')) for name, source in sources.items()}))
    joined: dict[str, Any] = dict(model=model, train_dataloader=loader)
    if validated:
        joined['val_dataloader'] = {name: Name(f'{name}_val') for name in validated}
        joined['val_evaluator'] = {name: Name(f'{name}_metrics') for name in validated}
    else:
        joined['val_cfg'] = None  # the runtime has a loop for it
    return joined


def _write_schedule(expansion_iters: int, squeeze_iters: int, lr: float) -> str:
    """Optimizer and schedules, the same for both phases; the squeeze counts from the switch."""
    whole = expansion_iters + squeeze_iters
    warm_up = min(1000, expansion_iters // 10, squeeze_iters // 10)
    rates = [dict(type='LinearLR', start_factor=0.001, by_epoch=False, begin=0, end=warm_up)] if warm_up else []
    hook = dict(
        type='xlearner_mm.ExpansionSqueezeHook', expansion_iters=expansion_iters,
        squeeze=dict(param_scheduler=[*rates, dict(type='CosineAnnealingLR', by_epoch=False, begin=warm_up,
                                                   end=squeeze_iters)]))
    values = dict(
        train_cfg=dict(type='xlearner_mm.MultiSourceTrainLoop', max_iters=whole,
                       val_interval=max(1, min(10000, whole // 10))),
        optim_wrapper=dict(type='OptimWrapper', optimizer=dict(type='AdamW', lr=lr, weight_decay=0.05),
                           clip_grad=dict(max_norm=10.0)),
        param_scheduler=[*rates, dict(type='CosineAnnealingLR', by_epoch=False, begin=warm_up, end=expansion_iters)],
        custom_hooks=[hook])
    return '# Schedule.\n' + ''.join(assignment(name, value) for name, value in values.items())
