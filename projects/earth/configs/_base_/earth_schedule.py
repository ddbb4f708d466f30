# 400 iterations in all: the X-Learner spends the first half on the expansion, the baselines all on one stage.
train_cfg = dict(type='xlearner_mm.MultiSourceTrainLoop', max_iters=400, val_begin=400, val_interval=400)
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='AdamW', lr=2e-3, weight_decay=0.01),
    clip_grad=dict(max_norm=10.0))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, by_epoch=False, begin=0, end=30),
    dict(type='CosineAnnealingLR', by_epoch=False, begin=30, end=400, eta_min=2e-5),
]
