# 180,000 iterations on 8 GPUs; an X-Learner spends the first half of them on the expansion. These are values to start
# from (ours), not tuned ones.
#
# Linear scaling: lr = 4e-4 * (GPUs / 8) * (your batch sizes / those of the recipe), and eta_min with it. To see as many
# images on fewer GPUs, multiply every number of iterations by 8 / GPUs (max_iters, expansion_iters, begin and end of
# the schedules). The baselines of fewer sources keep lr, for each source has the same batch size there. mmengine's
# auto_scale_lr knows one batch size only and is refused.
train_cfg = dict(type='xlearner_mm.MultiSourceTrainLoop', max_iters=180000, val_interval=30000)
optim_wrapper = dict(
    type='OptimWrapper',
    constructor='xlearner_mm.MultiSourceOptimWrapperConstructor',  # few groups; multipliers by task, source and part
    optimizer=dict(type='AdamW', lr=4e-4, weight_decay=0.05),
    # No weight decay of norms, biases, layer scales and position biases.
    paramwise_cfg=dict(
        norm_decay_mult=0.0,
        bias_decay_mult=0.0,
        flat_decay_mult=0.0,
        custom_keys=dict(relative_position_bias_table=dict(decay_mult=0.0))),
    clip_grad=dict(max_norm=5.0))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.001, by_epoch=False, begin=0, end=2000),
    dict(type='CosineAnnealingLR', by_epoch=False, begin=2000, end=180000, eta_min=4e-6),
]
