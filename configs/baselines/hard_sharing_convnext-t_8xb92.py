# Baseline: hard sharing. All sources of all tasks train one ConvNeXt-T.
_base_ = [
    '../_base_/default_runtime.py',
    '../_base_/sources/all_sources.py',
    '../_base_/models/convnext_tiny.py',
    '../_base_/schedules/schedule_180k.py',
]
model = dict(
    type='xlearner_mm.XLearner',
    backbone=_base_.backbone,
    branches={s: dict(model=_base_.branch_models[branch.task]) for s, branch in _base_.model.branches.items()})
