# Pascal VOC segmentation: 10,582 training images (1,464 of VOC 2012 and the rest of SBD), 1,449 of val, 21 classes.
# DeepLabV3 on a backbone of output stride 8, 20,000 iterations with crops of 512 x 512 (paper), in one process with 16
# images a step.
# http://host.robots.ox.ac.uk/pascal/VOC/voc2012/ and http://home.bharathh.info/pubs/codes/SBD/download.html; images
# from Flickr, under its terms of use. SegmentationClassAug and aug.txt are made by mmseg's
# tools/dataset_converters/voc_aug.py.
#
# $VOC_ROOT (data/VOCdevkit)
#   VOC2012/JPEGImages, VOC2012/SegmentationClass, VOC2012/SegmentationClassAug
#   VOC2012/ImageSets/Segmentation/{train,aug,val}.txt
_base_ = '../_base_/transfer/fine_tune.py'
default_scope = 'mmseg'
crop = (512, 512)
scale = (2048, 512)
norm_cfg = dict(type='BN', requires_grad=True)

model = dict(
    type='EncoderDecoder',
    data_preprocessor=dict(type='SegDataPreProcessor', pad_val=0, seg_pad_val=255, size=crop),
    backbone=dict(out_indices=(0, 1, 2, 3), norm_eval=False),
    decode_head=dict(
        type='ASPPHead',
        in_channels=2048,
        in_index=3,
        channels=512,
        dilations=(1, 12, 24, 36),
        dropout_ratio=0.1,
        num_classes=21,
        norm_cfg=norm_cfg,
        align_corners=False,
        loss_decode=dict(type='CrossEntropyLoss', use_sigmoid=False, loss_weight=1.0)),
    auxiliary_head=dict(
        type='FCNHead',
        in_channels=1024,
        in_index=2,
        channels=256,
        num_convs=1,
        concat_input=False,
        dropout_ratio=0.1,
        num_classes=21,
        norm_cfg=norm_cfg,
        align_corners=False,
        loss_decode=dict(type='CrossEntropyLoss', use_sigmoid=False, loss_weight=0.4)),
    train_cfg=dict(),
    test_cfg=dict(mode='whole'))

data = dict(type='PascalVOCDataset', data_root='{{$VOC_ROOT:data/VOCdevkit}}/VOC2012')
train_set = dict(
    data,
    pipeline=[
        dict(type='LoadImageFromFile'),
        dict(type='LoadAnnotations'),
        dict(type='RandomResize', scale=scale, ratio_range=(0.5, 2.0), keep_ratio=True),
        dict(type='RandomCrop', crop_size=crop, cat_max_ratio=0.75),
        dict(type='RandomFlip', prob=0.5),
        dict(type='PhotoMetricDistortion'),
        dict(type='PackSegInputs'),
    ])
train_dataloader = dict(
    batch_size=16,
    num_workers=8,
    persistent_workers=True,
    sampler=dict(type='InfiniteSampler', shuffle=True),
    dataset=dict(
        type='ConcatDataset',
        datasets=[
            dict(train_set, ann_file='ImageSets/Segmentation/train.txt',
                 data_prefix=dict(img_path='JPEGImages', seg_map_path='SegmentationClass')),
            dict(train_set, ann_file='ImageSets/Segmentation/aug.txt',
                 data_prefix=dict(img_path='JPEGImages', seg_map_path='SegmentationClassAug')),
        ]))
val_dataloader = dict(
    batch_size=1,
    num_workers=8,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        data,
        ann_file='ImageSets/Segmentation/val.txt',
        data_prefix=dict(img_path='JPEGImages', seg_map_path='SegmentationClass'),
        pipeline=[
            dict(type='LoadImageFromFile'),
            dict(type='Resize', scale=scale, keep_ratio=True),
            dict(type='LoadAnnotations'),
            dict(type='PackSegInputs'),
        ]))
val_evaluator = dict(type='IoUMetric', iou_metrics=['mIoU'])

train_cfg = dict(type='IterBasedTrainLoop', max_iters=20000, val_interval=20000)
param_scheduler = [dict(type='PolyLR', eta_min=1e-4, power=0.9, begin=0, end=20000, by_epoch=False)]
optim_wrapper = dict(
    type='OptimWrapper', optimizer=dict(type='SGD', lr=0.01, momentum=0.9, weight_decay=0.0005))
log_processor = dict(by_epoch=False)
default_hooks = dict(
    logger=dict(type='LoggerHook', interval=50, log_metric_by_epoch=False),
    checkpoint=dict(type='CheckpointHook', by_epoch=False, interval=2000, max_keep_ckpts=1))
downstream = dict(
    protocol='fine_tune',
    metric='mIoU',
    output_stride=8,
    channels={'model.decode_head.in_channels': 3, 'model.auxiliary_head.in_channels': 2})
del data, train_set, crop, scale, norm_cfg
