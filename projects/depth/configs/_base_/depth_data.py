# Three public data sets, each with the stock data set, pipeline and metric of its library.
nyu_train = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadDepthAnnotation', depth_rescale_factor=1e-3),  # millimetres to metres
    dict(type='RandomFlip', prob=0.5),
    dict(type='RandomCrop', crop_size=(480, 480)),
    dict(type='PhotoMetricDistortion'),
    dict(type='PackSegInputs'),
]
nyu_test = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadDepthAnnotation', depth_rescale_factor=1e-3),
    dict(type='PackSegInputs'),
]
ade20k_train = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations'),
    dict(type='RandomResize', scale=(2048, 512), ratio_range=(0.5, 2.0), keep_ratio=True),
    dict(type='RandomCrop', crop_size=(512, 512), cat_max_ratio=0.75),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PhotoMetricDistortion'),
    dict(type='PackSegInputs'),
]
ade20k_test = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=(2048, 512), keep_ratio=True),
    dict(type='LoadAnnotations'),
    dict(type='PackSegInputs'),
]
coco_train = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='Resize', scale=(1333, 800), keep_ratio=True),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackDetInputs'),
]
coco_test = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=(1333, 800), keep_ratio=True),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='PackDetInputs', meta_keys=('img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor')),
]

nyu = dict(
    type='mmseg.NYUDataset', data_root='data/nyu',
    data_prefix=dict(img_path='images/train', depth_map_path='annotations/train'), pipeline=nyu_train)
ade20k = dict(
    type='mmseg.ADE20KDataset', data_root='data/ade/ADEChallengeData2016',
    data_prefix=dict(img_path='images/training', seg_map_path='annotations/training'), pipeline=ade20k_train)
coco = dict(
    type='mmdet.CocoDataset', data_root='data/coco', ann_file='annotations/instances_train2017.json',
    data_prefix=dict(img='train2017/'), filter_cfg=dict(filter_empty_gt=True, min_size=32), pipeline=coco_train)

train_dataloader = dict(
    batch_size=dict(nyu=4, ade20k=4, coco=2),
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    batch_sampler=dict(type='xlearner_mm.MultiSourceBatchSampler'),
    collate_fn=dict(type='xlearner_mm.collate_by_source'),
    dataset=dict(
        type='xlearner_mm.MultiSourceDataset',
        sources=dict(
            nyu=dict(task='depth', dataset=nyu),
            ade20k=dict(task='seg', dataset=ade20k),
            coco=dict(task='det', dataset=coco))))

val_loader = dict(batch_size=1, num_workers=2, sampler=dict(type='DefaultSampler', shuffle=False))
val_dataloader = dict(
    nyu=dict(val_loader, dataset=dict(
        nyu, data_prefix=dict(img_path='images/test', depth_map_path='annotations/test'), pipeline=nyu_test,
        test_mode=True)),
    ade20k=dict(val_loader, dataset=dict(
        ade20k, data_prefix=dict(img_path='images/validation', seg_map_path='annotations/validation'),
        pipeline=ade20k_test, test_mode=True)),
    coco=dict(val_loader, dataset=dict(
        coco, ann_file='annotations/instances_val2017.json', data_prefix=dict(img='val2017/'), pipeline=coco_test,
        test_mode=True)))
val_evaluator = dict(
    nyu=dict(type='mmseg.DepthMetric', min_depth_eval=1e-3, max_depth_eval=10.0, crop_type='nyu_crop'),
    ade20k=dict(type='mmseg.IoUMetric', iou_metrics=['mIoU']),
    coco=dict(type='mmdet.CocoMetric', ann_file='data/coco/annotations/instances_val2017.json', metric='bbox'))
