# X-Learner: one ResNet-18 a task, joined by reconciliation layers, then squeezed into one ResNet-18.
_base_ = '../baselines/hard_sharing_resnet18_8xb92.py'
expansion_iters = 90000

model = dict(
    backbone=dict(
        _delete_=True,
        type='xlearner_mm.ExpandedBackbone',
        sub_backbones=dict(cls=_base_.backbone, det=_base_.backbone, seg=_base_.backbone),
        reconciliation=dict(stages=(0, 1, 2), detach=True)),
    squeeze=dict(
        student=_base_.backbone,
        hints=dict(stages=(1, 2, 3), criterion=dict(type='xlearner_mm.HintLoss')),
        standardizer=dict(type='xlearner_mm.BatchStandardizer'),
        teachers='all'))

param_scheduler = [
    dict(type='LinearLR', start_factor=0.001, by_epoch=False, begin=0, end=2000),
    dict(type='CosineAnnealingLR', by_epoch=False, begin=2000, end=expansion_iters, eta_min=4e-6),
]
custom_hooks = [
    # Without its own settings the squeeze has the expansion's optimizer and schedules, counted from the switch.
    dict(type='xlearner_mm.ExpansionSqueezeHook', expansion_iters=expansion_iters),
]
