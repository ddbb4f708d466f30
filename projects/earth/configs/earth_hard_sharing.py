# Baseline: hard sharing. All sources of all tasks train one backbone.
_base_ = [
    '../../../configs/_base_/default_runtime.py',
    './_base_/earth_data.py',
    './_base_/earth_models.py',
    './_base_/earth_schedule.py',
]
model = dict(type='xlearner_mm.XLearner', backbone=_base_.backbone, branches=_base_.branches)
default_hooks = dict(
    logger=dict(interval=20), checkpoint=dict(type='xlearner_mm.AtomicCheckpointHook', interval=100))
