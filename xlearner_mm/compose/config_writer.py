"""The X-Learner config of what was taken of stock configs: a section a source, then what joins them."""

import itertools
from collections.abc import Mapping
from typing import Any

from xlearner_mm.version import __version__

from .config_text import Expression, assignment, layout
from .joined_model import JoinedModel
from .stock_source import TASKS
from .taken_source import TakenSource


def write_config(sources: Mapping[str, TakenSource], joined: JoinedModel, expansion_iters: int, squeeze_iters: int,
                 lr: float) -> str:
    """Write the config.

    Args:
        sources (Mapping[str, TakenSource]): What was taken, by source.
        joined (JoinedModel): Sub-backbones and student.
        expansion_iters (int): Iterations of the expansion.
        squeeze_iters (int): Iterations of the squeeze.
        lr (float): Learning rate of AdamW.

    Returns:
        str: The file.
    """
    backbones = ''.join(assignment(f'{task}_backbone', cfg) for task, cfg in joined.backbones.items())
    parts = [_head(sources), *(_section(name, source) for name, source in sources.items()),
             f'# One sub-backbone a task, and the student.\n{backbones}{assignment("student", joined.student)}',
             assignment('model', _model(sources, joined)), assignment('train_dataloader', _loader(sources)),
             _validation(sources), _schedule(expansion_iters, squeeze_iters, lr)]
    return layout('\n'.join(parts))


def _head(sources: Mapping[str, TakenSource]) -> str:
    """Where the config is from, what it inherits, and what it imports beside the libraries."""
    stocks = {name: source.stock for name, source in sources.items()}
    origins = ''.join(f'#   {name}: {stock.library}, {stock.config}\n' for name, stock in stocks.items())
    text = (f'# An X-Learner composed of stock configs by xlearner_mm {__version__}:\n{origins}'
            + assignment('_base_', 'xlearner_mm::_base_/default_runtime.py'))
    named = [(stock.cfg.get('custom_imports') or {}).get('imports', ()) for stock in stocks.values()]
    own = [name for name in dict.fromkeys(itertools.chain(*named)) if name.split('.', 1)[0] not in TASKS]
    if own:
        imports = [Expression('*_base_.custom_imports.imports'), *own]
        text += assignment('custom_imports', dict(imports=imports))
    return text


def _section(name: str, source: TakenSource) -> str:
    """The stock parts of a source."""
    data = source.data
    values = {'model': source.model.branch, 'data': data.dataset, 'val': data.val_dataloader,
              'metrics': data.val_evaluator}
    return f'# {name}: {source.task}\n' + ''.join(
        assignment(f'{name}_{part}', value) for part, value in values.items() if value is not None)


def _model(sources: Mapping[str, TakenSource], joined: JoinedModel) -> dict[str, Any]:
    model = dict(
        type='xlearner_mm.XLearner',
        backbone=dict(
            type='xlearner_mm.ExpandedBackbone',
            sub_backbones={task: Expression(f'{task}_backbone') for task in joined.backbones}),
        branches={name: dict(task=source.task, model=Expression(f'{name}_model')) for name, source in sources.items()},
        squeeze=dict(student=Expression('student'), standardizer=dict(type='xlearner_mm.BatchStandardizer')))
    return model | (dict(output_stride=joined.output_strides) if joined.output_strides else {})


def _loader(sources: Mapping[str, TakenSource]) -> dict[str, Any]:
    return dict(
        batch_size={name: source.data.batch_size for name, source in sources.items()},
        num_workers=max(source.data.num_workers for source in sources.values()),
        sampler=dict(type='DefaultSampler', shuffle=False),
        batch_sampler=dict(type='xlearner_mm.MultiSourceBatchSampler'),
        collate_fn=dict(type='xlearner_mm.collate_by_source'),
        dataset=dict(type='xlearner_mm.MultiSourceDataset', sources={
            name: dict(task=source.task, dataset=Expression(f'{name}_data')) for name, source in sources.items()}))


def _validation(sources: Mapping[str, TakenSource]) -> str:
    validated = [name for name, source in sources.items() if source.data.val_dataloader]
    if not validated:
        return assignment('val_cfg', None)  # the runtime that is inherited has a loop for it
    return (assignment('val_dataloader', {name: Expression(f'{name}_val') for name in validated})
            + assignment('val_evaluator', {name: Expression(f'{name}_metrics') for name in validated}))


def _schedule(expansion_iters: int, squeeze_iters: int, lr: float) -> str:
    """Optimizer and schedules, the same for both phases; the squeeze counts from the switch.

    The lengths of the phases are named once, so that who changes them changes the schedules with them.
    """
    lengths = dict(expansion_iters=expansion_iters, squeeze_iters=squeeze_iters)
    expansion, squeeze = map(Expression, lengths)
    whole = expansion_iters + squeeze_iters
    warm_up = min(1000, expansion_iters // 10, squeeze_iters // 10)
    rates = [dict(type='LinearLR', start_factor=0.001, by_epoch=False, begin=0, end=warm_up)] if warm_up else []
    cosine = dict(type='CosineAnnealingLR', by_epoch=False, begin=warm_up)
    hook = dict(
        type='xlearner_mm.ExpansionSqueezeHook', expansion_iters=expansion,
        squeeze=dict(param_scheduler=[*rates, dict(cosine, end=squeeze)]))
    values: dict[str, Any] = dict(
        **lengths,
        train_cfg=dict(type='xlearner_mm.MultiSourceTrainLoop', max_iters=Expression(' + '.join(lengths)),
                       val_interval=max(1, min(10000, whole // 10))),
        optim_wrapper=dict(type='OptimWrapper', optimizer=dict(type='AdamW', lr=lr, weight_decay=0.05),
                           clip_grad=dict(max_norm=10.0)),
        param_scheduler=[*rates, dict(cosine, end=expansion)],
        custom_hooks=[hook])
    return '# Schedule.\n' + ''.join(assignment(name, value) for name, value in values.items())
