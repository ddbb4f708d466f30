# COCO-Stuff 164k: things and stuff of COCO 2017, 118,287 training and 5,000 validation images, 171 classes.
# https://github.com/nightrome/cocostuff; annotations CC BY 4.0, photographs under their Flickr terms.
#
# $COCO_STUFF_ROOT (data/coco_stuff164k), as mmseg's tools/dataset_converters/coco_stuff164k.py leaves it
#   images/{train,val}2017/000000000009.jpg ...                     (may be links to the folders of coco)
#   annotations/{train,val}2017/000000000009_labelTrainIds.png ...
#
# Own maps in place of it: type='mmseg.BaseSegDataset', which has no classes of its own, metainfo=dict(classes=...) and
# the suffix of the maps.
root = '{{$COCO_STUFF_ROOT:data/coco_stuff164k}}'
data = dict(
    type='mmseg.COCOStuffDataset', data_root=root, img_suffix='.jpg', seg_map_suffix='_labelTrainIds.png',
    reduce_zero_label=False)

coco_stuff = dict(
    task='seg',
    num_classes=171,
    batch_size=4,
    dataset=dict(
        data,
        data_prefix=dict(img_path='images/train2017', seg_map_path='annotations/train2017'),
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
            data_prefix=dict(img_path='images/val2017', seg_map_path='annotations/val2017'),
            test_mode=True,
            pipeline=[
                dict(type='LoadImageFromFile'),
                dict(type='Resize', scale=(2048, 512), keep_ratio=True),
                dict(type='LoadAnnotations'),
                dict(type='PackSegInputs'),
            ])),
    val_evaluator=dict(type='mmseg.IoUMetric', iou_metrics=['mIoU']))
del root, data
