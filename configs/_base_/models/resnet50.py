# ResNet-50 from scratch: no init_cfg, so no stock weights are loaded.
# Its BN layers are trained on the batch of one source at a time and share their running statistics. Where those of the
# sources differ much: auxiliary_norm='per_task' of the ExpandedBackbone, and, for the final weights,
# `mim run xlearner_mm reestimate_norms`.
_base_ = './branches.py'
backbone = dict(type='mmdet.ResNet', depth=50, norm_cfg=dict(type='BN'), norm_eval=False)
branch_models = dict(
    cls=dict(head=dict(in_channels=2048)),
    det=dict(neck=dict(in_channels=[256, 512, 1024, 2048])),
    seg=dict(decode_head=dict(in_channels=[256, 512, 1024, 2048]), auxiliary_head=dict(in_channels=1024)))
