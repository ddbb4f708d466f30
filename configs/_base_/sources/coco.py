# COCO 2017, boxes: 118,287 training and 5,000 validation images of 80 classes; training images without boxes are left
# out.
# https://cocodataset.org; annotations CC BY 4.0, photographs under their Flickr terms.
#
# $COCO_ROOT (data/coco)
#   annotations/instances_{train,val}2017.json
#   {train,val}2017/000000000009.jpg ...
root = '{{$COCO_ROOT:data/coco}}'
data = dict(type='mmdet.CocoDataset', data_root=root)

coco = dict(
    task='det',
    num_classes=80,
    batch_size=2,
    dataset=dict(
        data,
        ann_file='annotations/instances_train2017.json',
        data_prefix=dict(img='train2017'),
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
            ann_file='annotations/instances_val2017.json',
            data_prefix=dict(img='val2017'),
            test_mode=True,
            pipeline=[
                dict(type='LoadImageFromFile'),
                dict(type='Resize', scale=(1333, 800), keep_ratio=True),
                dict(type='LoadAnnotations', with_bbox=True),
                dict(type='PackDetInputs',
                     meta_keys=('img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor')),
            ])),
    val_evaluator=dict(
        type='mmdet.CocoMetric', ann_file=root + '/annotations/instances_val2017.json', metric='bbox'))
del root, data
