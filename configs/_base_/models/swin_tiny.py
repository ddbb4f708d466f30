# Swin-T from scratch: no init_cfg, so no stock weights are loaded. out_indices must name every stage that a port reads.
_base_ = './branches.py'
backbone = dict(
    type='mmdet.SwinTransformer',
    embed_dims=96,
    depths=(2, 2, 6, 2),
    num_heads=(3, 6, 12, 24),
    window_size=7,
    drop_path_rate=0.2,
    out_indices=(0, 1, 2, 3))
branch_models = dict(
    cls=dict(head=dict(in_channels=768)),
    det=dict(neck=dict(in_channels=[96, 192, 384, 768])),
    seg=dict(decode_head=dict(in_channels=[96, 192, 384, 768]), auxiliary_head=dict(in_channels=384)))
