# A stock model a source, each with a port in place of its backbone.
backbone = dict(type='mmdet.ResNet', depth=50, norm_eval=False)
port = dict(type='xlearner_mm.BackbonePort', out_indices=(0, 1, 2, 3))
pixels = dict(mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375], bgr_to_rgb=True)
all_maps = dict(
    in_channels=[256, 512, 1024, 2048], in_index=[0, 1, 2, 3], feature_strides=[4, 8, 16, 32], channels=128,
    norm_cfg=dict(type='BN'))

depth_estimator = dict(
    type='mmseg.DepthEstimator',
    # The padding of a depth map must be 0, which means that nothing was measured.
    data_preprocessor=dict(type='SegDataPreProcessor', size=(480, 480), pad_val=0, seg_pad_val=0, **pixels),
    backbone=port,
    decode_head=dict(
        type='xlearner_mm.DepthHead', min_depth=1e-3, max_depth=10.0, loss_decode=dict(type='SiLogLoss'), **all_maps),
    test_cfg=dict(mode='whole'))

segmentor = dict(
    type='mmseg.EncoderDecoder',
    data_preprocessor=dict(type='SegDataPreProcessor', size=(512, 512), pad_val=0, seg_pad_val=255, **pixels),
    backbone=port,
    decode_head=dict(type='FPNHead', num_classes=150, loss_decode=dict(type='CrossEntropyLoss', avg_non_ignore=True),
        **all_maps),
    test_cfg=dict(mode='whole'))

detector = dict(
    type='mmdet.FCOS',
    data_preprocessor=dict(type='DetDataPreprocessor', pad_size_divisor=32, **pixels),
    backbone=port,
    neck=dict(
        type='FPN', in_channels=[256, 512, 1024, 2048], out_channels=256, start_level=1, add_extra_convs='on_output',
        num_outs=5, relu_before_extra_convs=True),
    bbox_head=dict(
        type='FCOSHead', num_classes=80, in_channels=256, feat_channels=256, stacked_convs=4,
        strides=[8, 16, 32, 64, 128]),
    test_cfg=dict(
        nms_pre=1000, min_bbox_size=0, score_thr=0.05, nms=dict(type='nms', iou_threshold=0.5), max_per_img=100))

branches = dict(
    nyu=dict(task='depth', model=depth_estimator),
    ade20k=dict(task='seg', model=segmentor),
    coco=dict(task='det', model=detector))
