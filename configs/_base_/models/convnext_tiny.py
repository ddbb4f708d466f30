# ConvNeXt-T from scratch: no init_cfg, so no stock weights are loaded. out_indices must name every stage that a port
# reads. A ConvNeXt averages before its last norm, so the classifier's port gives vectors and no neck follows.
_base_ = './branches.py'
backbone = dict(
    type='mmpretrain.ConvNeXt',
    arch='tiny',
    drop_path_rate=0.1,
    gap_before_final_norm=False,
    out_indices=(0, 1, 2, 3))
branch_models = dict(
    cls=dict(backbone=dict(output='vector'), neck=None, head=dict(in_channels=768)),
    det=dict(neck=dict(in_channels=[96, 192, 384, 768])),
    seg=dict(decode_head=dict(in_channels=[96, 192, 384, 768]), auxiliary_head=dict(in_channels=384)))
