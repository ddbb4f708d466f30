# Stock models as branches: a classifier, a detector and a segmentor, each with a port in place of its backbone.
# The backbone is a ResNet-18 of a quarter of the usual width, so that the demo runs on a CPU.
backbone = dict(type='mmdet.ResNet', depth=18, stem_channels=16, base_channels=16, norm_eval=False)
mean = [127.5, 127.5, 127.5]
std = [64., 64., 64.]

classifier = dict(
    type='mmpretrain.ImageClassifier',
    data_preprocessor=dict(type='ClsDataPreprocessor', mean=mean, std=std, to_rgb=True),
    backbone=dict(type='xlearner_mm.BackbonePort', out_indices=(3, )),
    neck=dict(type='GlobalAveragePooling'),
    head=dict(type='LinearClsHead', num_classes=9, in_channels=128, loss=dict(type='CrossEntropyLoss'), topk=(1, )))
digit_classifier = dict(
    classifier,
    head=dict(type='LinearClsHead', num_classes=10, in_channels=128, loss=dict(type='CrossEntropyLoss'), topk=(1, )))

bbox_head = dict(
    type='ATSSHead',
    num_classes=2,
    in_channels=32,
    feat_channels=32,
    stacked_convs=2,
    anchor_generator=dict(
        type='AnchorGenerator', ratios=[1.0], octave_base_scale=4, scales_per_octave=1, strides=[4, 8, 16, 32]),
    bbox_coder=dict(type='DeltaXYWHBBoxCoder', target_means=[0., 0., 0., 0.], target_stds=[0.1, 0.1, 0.2, 0.2]),
    norm_cfg=dict(type='GN', num_groups=8),
    loss_cls=dict(type='FocalLoss', use_sigmoid=True, gamma=2.0, alpha=0.25, loss_weight=1.0),
    loss_bbox=dict(type='GIoULoss', loss_weight=2.0))
detector = dict(
    type='mmdet.ATSS',
    data_preprocessor=dict(
        type='DetDataPreprocessor', mean=mean, std=std, bgr_to_rgb=True, pad_size_divisor=32),
    backbone=dict(type='xlearner_mm.BackbonePort', out_indices=(0, 1, 2, 3)),
    neck=dict(type='FPN', in_channels=[16, 32, 64, 128], out_channels=32, num_outs=4),
    bbox_head=bbox_head,
    # Many objects are cut off by a tile's border, or too small, and are ignore regions: neither object nor background.
    train_cfg=dict(
        assigner=dict(type='ATSSAssigner', topk=9, ignore_iof_thr=0.5), allowed_border=-1, pos_weight=-1),
    test_cfg=dict(
        nms_pre=300, min_bbox_size=0, score_thr=0.02, nms=dict(type='nms', iou_threshold=0.5), max_per_img=50))
tree_detector = dict(detector, bbox_head=dict(bbox_head, num_classes=1))

decode_head = dict(
    type='FPNHead',
    in_channels=[32, 32, 32, 32],
    in_index=[0, 1, 2, 3],
    feature_strides=[4, 8, 16, 32],
    channels=32,
    num_classes=17,
    norm_cfg=dict(type='BN'),
    align_corners=False,
    loss_decode=dict(type='CrossEntropyLoss', avg_non_ignore=True))
segmentor = dict(
    type='mmseg.EncoderDecoder',
    data_preprocessor=dict(
        type='SegDataPreProcessor', mean=mean, std=std, bgr_to_rgb=True, size=(96, 96), pad_val=0, seg_pad_val=255),
    backbone=dict(type='xlearner_mm.BackbonePort', out_indices=(0, 1, 2, 3)),
    neck=dict(type='FPN', in_channels=[16, 32, 64, 128], out_channels=32, num_outs=4),
    decode_head=decode_head,
    train_cfg=dict(),
    test_cfg=dict(mode='whole'))
mask_segmentor = dict(segmentor, decode_head=dict(decode_head, num_classes=3))

branches = dict(
    landcover_cls=dict(task='cls', model=classifier),
    digits_cls=dict(task='cls', model=digit_classifier),
    coast_det=dict(task='det', model=detector),
    tree_det=dict(task='det', model=tree_detector),
    landcover_seg=dict(task='seg', model=segmentor),
    lsmask_seg=dict(task='seg', model=mask_segmentor))
