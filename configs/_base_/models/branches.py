# Stock models of the three tasks with a port in place of the backbone: a linear classifier, Faster R-CNN with FPN and
# UPerNet. Widths of the backbone's stages are set by the file of each backbone, numbers of classes by the sources.
# One normalisation for all: images of every source pass the same backbone.
mean = [123.675, 116.28, 103.53]
std = [58.395, 57.12, 57.375]
port = dict(type='xlearner_mm.BackbonePort', out_indices=(0, 1, 2, 3))
segmentation_loss = dict(type='CrossEntropyLoss', use_sigmoid=False, loss_weight=1.0)

branch_models = dict(
    cls=dict(
        type='mmpretrain.ImageClassifier',
        data_preprocessor=dict(type='ClsDataPreprocessor', mean=mean, std=std, to_rgb=True),
        backbone=dict(port, out_indices=(3, )),
        neck=dict(type='GlobalAveragePooling'),
        head=dict(type='LinearClsHead', loss=dict(type='CrossEntropyLoss', loss_weight=1.0), topk=(1, 5))),
    det=dict(
        type='mmdet.FasterRCNN',
        data_preprocessor=dict(
            type='DetDataPreprocessor', mean=mean, std=std, bgr_to_rgb=True, pad_size_divisor=32),
        backbone=port,
        neck=dict(type='FPN', out_channels=256, num_outs=5),
        rpn_head=dict(
            type='RPNHead',
            in_channels=256,
            feat_channels=256,
            anchor_generator=dict(
                type='AnchorGenerator', scales=[8], ratios=[0.5, 1.0, 2.0], strides=[4, 8, 16, 32, 64]),
            bbox_coder=dict(
                type='DeltaXYWHBBoxCoder', target_means=[0., 0., 0., 0.], target_stds=[1.0, 1.0, 1.0, 1.0]),
            loss_cls=dict(type='CrossEntropyLoss', use_sigmoid=True, loss_weight=1.0),
            loss_bbox=dict(type='L1Loss', loss_weight=1.0)),
        roi_head=dict(
            type='StandardRoIHead',
            bbox_roi_extractor=dict(
                type='SingleRoIExtractor',
                roi_layer=dict(type='RoIAlign', output_size=7, sampling_ratio=0),
                out_channels=256,
                featmap_strides=[4, 8, 16, 32]),
            bbox_head=dict(
                type='Shared2FCBBoxHead',
                in_channels=256,
                fc_out_channels=1024,
                roi_feat_size=7,
                bbox_coder=dict(
                    type='DeltaXYWHBBoxCoder', target_means=[0., 0., 0., 0.], target_stds=[0.1, 0.1, 0.2, 0.2]),
                reg_class_agnostic=False,
                loss_cls=dict(type='CrossEntropyLoss', use_sigmoid=False, loss_weight=1.0),
                loss_bbox=dict(type='L1Loss', loss_weight=1.0))),
        train_cfg=dict(
            rpn=dict(
                assigner=dict(
                    type='MaxIoUAssigner', pos_iou_thr=0.7, neg_iou_thr=0.3, min_pos_iou=0.3, ignore_iof_thr=-1),
                sampler=dict(
                    type='RandomSampler', num=256, pos_fraction=0.5, neg_pos_ub=-1, add_gt_as_proposals=False),
                allowed_border=-1,
                pos_weight=-1),
            rpn_proposal=dict(
                nms_pre=2000, max_per_img=1000, nms=dict(type='nms', iou_threshold=0.7), min_bbox_size=0),
            rcnn=dict(
                assigner=dict(
                    type='MaxIoUAssigner', pos_iou_thr=0.5, neg_iou_thr=0.5, min_pos_iou=0.5,
                    match_low_quality=False, ignore_iof_thr=-1),
                sampler=dict(
                    type='RandomSampler', num=512, pos_fraction=0.25, neg_pos_ub=-1, add_gt_as_proposals=True),
                pos_weight=-1)),
        test_cfg=dict(
            rpn=dict(nms_pre=1000, max_per_img=1000, nms=dict(type='nms', iou_threshold=0.7), min_bbox_size=0),
            rcnn=dict(score_thr=0.05, nms=dict(type='nms', iou_threshold=0.5), max_per_img=100))),
    seg=dict(
        type='mmseg.EncoderDecoder',
        data_preprocessor=dict(
            type='SegDataPreProcessor', mean=mean, std=std, bgr_to_rgb=True, size=(512, 512), pad_val=0,
            seg_pad_val=255),
        backbone=port,
        decode_head=dict(
            type='UPerHead',
            in_index=[0, 1, 2, 3],
            pool_scales=(1, 2, 3, 6),
            channels=512,
            dropout_ratio=0.1,
            norm_cfg=dict(type='BN'),
            align_corners=False,
            loss_decode=segmentation_loss),
        auxiliary_head=dict(
            type='FCNHead',
            in_index=2,
            channels=256,
            num_convs=1,
            concat_input=False,
            dropout_ratio=0.1,
            norm_cfg=dict(type='BN'),
            align_corners=False,
            loss_decode=dict(segmentation_loss, loss_weight=0.4)),
        train_cfg=dict(),
        test_cfg=dict(mode='whole')))
del mean, std, port, segmentation_loss
