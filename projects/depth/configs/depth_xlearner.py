# X-Learner with a task of this project, depth, beside two that the package knows; expansion, then squeeze.
_base_ = ['xlearner_mm::_base_/default_runtime.py', './_base_/depth_data.py', './_base_/depth_models.py']
custom_imports = dict(imports=[*_base_.custom_imports.imports, 'xlearner_depth'])
expansion_iters = 90000
max_iters = 180000

model = dict(
    type='xlearner_mm.XLearner',
    backbone=dict(
        type='xlearner_mm.ExpandedBackbone',
        sub_backbones=dict(depth=_base_.backbone, seg=_base_.backbone, det=_base_.backbone),
        reconciliation=dict(stages=(0, 1, 2), detach=True)),
    branches=_base_.branches,
    squeeze=dict(
        student=_base_.backbone,
        hints=dict(stages=(1, 2, 3), criterion=dict(type='xlearner_mm.HintLoss')),
        standardizer=dict(type='xlearner_mm.BatchStandardizer')))

train_cfg = dict(type='xlearner_mm.MultiSourceTrainLoop', max_iters=max_iters, val_interval=30000)
optim_wrapper = dict(
    type='OptimWrapper', optimizer=dict(type='AdamW', lr=1e-4, weight_decay=0.05), clip_grad=dict(max_norm=35.0))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, by_epoch=False, begin=0, end=1000),
    dict(type='CosineAnnealingLR', by_epoch=False, begin=1000, end=expansion_iters, eta_min=1e-6),
]
custom_hooks = [dict(type='xlearner_mm.ExpansionSqueezeHook', expansion_iters=expansion_iters)]
