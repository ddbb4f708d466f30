# What every X-Learner run shares. To use it: _base_ = 'xlearner_mm::_base_/default_runtime.py'
default_scope = None
custom_imports = dict(
    imports=['xlearner_mm.datasets', 'xlearner_mm.models', 'xlearner_mm.engine'], allow_failed_imports=False)

default_hooks = dict(
    runtime_info=dict(type='RuntimeInfoHook'),
    timer=dict(type='IterTimerHook'),
    logger=dict(type='LoggerHook', interval=50, log_metric_by_epoch=False),
    param_scheduler=dict(type='ParamSchedulerHook'),
    checkpoint=dict(type='xlearner_mm.AtomicCheckpointHook', interval=1000, max_keep_ckpts=2),
    sampler_seed=dict(type='DistSamplerSeedHook'))

env_cfg = dict(
    cudnn_benchmark=False, mp_cfg=dict(mp_start_method='fork', opencv_num_threads=0), dist_cfg=dict(backend='nccl'))
model_wrapper_cfg = dict(type='xlearner_mm.MultiSourceDistributed')
val_cfg = dict(type='xlearner_mm.MultiSourceValLoop')

log_processor = dict(by_epoch=False)
visualizer = dict(type='Visualizer', vis_backends=[dict(type='LocalVisBackend')])
log_level = 'INFO'
randomness = dict(seed=0)
load_from = None
resume = False
