# Objects365 v2: about 1.74 million training and 80,000 validation images of 365 classes.
# https://www.objects365.org; see the terms on the site.
#
# $OBJECTS365_ROOT (data/objects365)
#   annotations/zhiyuan_objv2_{train,val}.json
#   train/patch0/objects365_v1_00000000.jpg ... train/patch50/...
#   val/patch0/objects365_v1_....jpg ... val/patch43/...
root = '{{$OBJECTS365_ROOT:data/objects365}}'
data = dict(type='mmdet.Objects365V2Dataset', data_root=root)

objects365 = dict(
    task='det',
    num_classes=365,
    batch_size=4,
    dataset=dict(
        data,
        ann_file='annotations/zhiyuan_objv2_train.json',
        data_prefix=dict(img='train'),
        filter_cfg=dict(filter_empty_gt=True, min_size=32),
        pipeline=[
            dict(type='LoadImageFromFile'),
            dict(type='LoadAnnotations', with_bbox=True),
            dict(type='Resize', scale=(1333, 800), keep_ratio=True),
            dict(type='RandomFlip', prob=0.5),
            dict(type='PackDetInputs'),
        ]),
    val_dataloader=dict(
        batch_size=1,
        num_workers=4,
        sampler=dict(type='DefaultSampler', shuffle=False),
        dataset=dict(
            data,
            ann_file='annotations/zhiyuan_objv2_val.json',
            data_prefix=dict(img='val'),
            test_mode=True,
            pipeline=[
                dict(type='LoadImageFromFile'),
                dict(type='Resize', scale=(1333, 800), keep_ratio=True),
                dict(type='LoadAnnotations', with_bbox=True),
                dict(type='PackDetInputs',
                     meta_keys=('img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor')),
            ])),
    val_evaluator=dict(
        type='mmdet.CocoMetric', ann_file=root + '/annotations/zhiyuan_objv2_val.json', metric='bbox'))
del root, data
