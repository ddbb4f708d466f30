# X-Learner of EfficientNets: on three of the small sources of projects/earth, one a task.
_base_ = [
    '../../../configs/_base_/default_runtime.py',
    '../../earth/configs/_base_/earth_data.py',
    '../../earth/configs/_base_/earth_models.py',
    '../../earth/configs/_base_/earth_schedule.py',
]
custom_imports = dict(imports=[*_base_.custom_imports.imports, 'xlearner_efficientnet'])
sources = ('landcover_cls', 'tree_det', 'landcover_seg')
expansion_iters = 200

efficientnet = dict(type='mmpretrain.EfficientNet', arch='b0', drop_path_rate=0.1)
# Layers of strides 4, 8, 16 and 32; before the last convolution, whose 1280 channels are for classifiers.
port = dict(type='xlearner_mm.BackbonePort', out_indices=(2, 3, 4, 5))
neck = dict(type='FPN', in_channels=[24, 40, 112, 320], out_channels=32, num_outs=4)
head = dict(_base_.classifier.head, in_channels=1280)

model = dict(
    type='xlearner_mm.XLearner',
    backbone=dict(
        type='xlearner_mm.ExpandedBackbone',
        sub_backbones=dict(cls=efficientnet, det=efficientnet, seg=efficientnet),
        reconciliation=dict(stages=(0, 1, 2), detach=True)),
    branches=dict(
        landcover_cls=dict(task='cls', model=dict(
            _base_.classifier, backbone=dict(type='xlearner_mm.BackbonePort', out_indices=(6, )), head=head)),
        tree_det=dict(task='det', model=dict(_base_.tree_detector, backbone=port, neck=neck)),
        landcover_seg=dict(task='seg', model=dict(_base_.segmentor, backbone=port, neck=neck))),
    squeeze=dict(
        student=efficientnet,
        hints=dict(stages=(1, 2, 3), criterion=dict(type='xlearner_mm.HintLoss')),
        standardizer=dict(type='xlearner_mm.BatchStandardizer')))

train_dataloader = dict(
    batch_size=dict(_delete_=True, **{source: _base_.train_dataloader.batch_size[source] for source in sources}),
    dataset=dict(
        sources=dict(_delete_=True, **{s: _base_.train_dataloader.dataset.sources[s] for s in sources})))
val_dataloader = dict(_delete_=True, **{source: _base_.val_dataloader[source] for source in sources})
val_evaluator = dict(_delete_=True, **{source: _base_.val_evaluator[source] for source in sources})

param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, by_epoch=False, begin=0, end=30),
    dict(type='CosineAnnealingLR', by_epoch=False, begin=30, end=expansion_iters, eta_min=2e-5),
]
custom_hooks = [dict(type='xlearner_mm.ExpansionSqueezeHook', expansion_iters=expansion_iters)]
default_hooks = dict(
    logger=dict(interval=20), checkpoint=dict(type='xlearner_mm.AtomicCheckpointHook', interval=100))
