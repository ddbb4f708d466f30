# ResNet-18 from scratch: no init_cfg, so no stock weights are loaded. On its BN see resnet50.py.
_base_ = './branches.py'
backbone = dict(type='mmdet.ResNet', depth=18, norm_cfg=dict(type='BN'), norm_eval=False)
branch_models = dict(
    cls=dict(head=dict(in_channels=512)),
    det=dict(neck=dict(in_channels=[64, 128, 256, 512])),
    seg=dict(decode_head=dict(in_channels=[64, 128, 256, 512]), auxiliary_head=dict(in_channels=256)))
