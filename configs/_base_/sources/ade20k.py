# ADE20K, the scene parsing benchmark: 20,210 training and 2,000 validation images, 150 classes (0 of a map is none).
# https://groups.csail.mit.edu/vision/datasets/ADE20K, ADEChallengeData2016.zip; see the terms on the site.
#
# $ADE20K_ROOT (data/ade20k), the folder ADEChallengeData2016
#   images/{training,validation}/ADE_train_00000001.jpg ...
#   annotations/{training,validation}/ADE_train_00000001.png ...
#
# Own maps in place of it: type='mmseg.BaseSegDataset', which has no classes of its own, metainfo=dict(classes=...) and
# reduce_zero_label=False.
root = '{{$ADE20K_ROOT:data/ade20k}}'
data = dict(
    type='mmseg.ADE20KDataset', data_root=root, img_suffix='.jpg', seg_map_suffix='.png', reduce_zero_label=True)

ade20k = dict(
    task='seg',
    num_classes=150,
    batch_size=2,
    dataset=dict(
        data,
        data_prefix=dict(img_path='images/training', seg_map_path='annotations/training'),
        pipeline=[
            dict(type='LoadImageFromFile'),
            dict(type='LoadAnnotations'),
            dict(type='RandomResize', scale=(2048, 512), ratio_range=(0.5, 2.0), keep_ratio=True),
            dict(type='RandomCrop', crop_size=(512, 512), cat_max_ratio=0.75),
            dict(type='RandomFlip', prob=0.5),
            dict(type='PhotoMetricDistortion'),
            dict(type='PackSegInputs'),
        ]),
    val_dataloader=dict(
        batch_size=1,
        num_workers=4,
        sampler=dict(type='DefaultSampler', shuffle=False),
        dataset=dict(
            data,
            data_prefix=dict(img_path='images/validation', seg_map_path='annotations/validation'),
            test_mode=True,
            pipeline=[
                dict(type='LoadImageFromFile'),
                dict(type='Resize', scale=(2048, 512), keep_ratio=True),
                dict(type='LoadAnnotations'),
                dict(type='PackSegInputs'),
            ])),
    val_evaluator=dict(type='mmseg.IoUMetric', iou_metrics=['mIoU']))
del root, data
