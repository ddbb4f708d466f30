# X-Learner: three tasks with two sources each; expansion, then squeeze into one ResNet-18 of the same width.
_base_ = [
    '../../../configs/_base_/default_runtime.py',
    './_base_/earth_data.py',
    './_base_/earth_models.py',
    './_base_/earth_schedule.py',
]
expansion_iters = 200

model = dict(
    type='xlearner_mm.XLearner',
    backbone=dict(
        type='xlearner_mm.ExpandedBackbone',
        sub_backbones=dict(cls=_base_.backbone, det=_base_.backbone, seg=_base_.backbone),
        reconciliation=dict(stages=(0, 1, 2), detach=True)),
    branches=_base_.branches,
    squeeze=dict(
        student=_base_.backbone,
        hints=dict(stages=(1, 2, 3), criterion=dict(type='xlearner_mm.HintLoss')),
        standardizer=dict(type='xlearner_mm.BatchStandardizer'),
        teachers='all'))

param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, by_epoch=False, begin=0, end=30),
    dict(type='CosineAnnealingLR', by_epoch=False, begin=30, end=expansion_iters, eta_min=2e-5),
]
custom_hooks = [
    # Without its own settings the squeeze has the expansion's optimizer and schedules, counted from the switch.
    dict(type='xlearner_mm.ExpansionSqueezeHook', expansion_iters=expansion_iters),
]
default_hooks = dict(
    logger=dict(interval=20), checkpoint=dict(type='xlearner_mm.AtomicCheckpointHook', interval=100))
