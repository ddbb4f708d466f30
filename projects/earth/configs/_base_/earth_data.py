# The six sources of projects/earth, as stock data sets. Prepare them with projects/earth/tools/prepare_data.py.
data_root = '{{$EARTH_DATA:data/earth}}/'

landcover_classes = ('water', 'evergreen needleleaf forest', 'evergreen broadleaf forest',
                     'deciduous needleleaf forest', 'deciduous broadleaf forest', 'mixed forest', 'closed shrubland',
                     'open shrubland', 'woody savanna', 'savanna', 'grassland', 'wetland', 'cropland', 'urban',
                     'cropland mosaic', 'snow and ice', 'barren')
landcover_palette = [[28, 74, 160], [10, 90, 100], [8, 106, 16], [85, 166, 10], [110, 205, 60], [49, 141, 70],
                     [198, 176, 68], [220, 208, 140], [218, 222, 72], [251, 255, 19], [182, 255, 5], [39, 200, 170],
                     [230, 130, 40], [225, 20, 20], [250, 190, 120], [235, 250, 255], [190, 160, 150]]
landcover_metainfo = dict(classes=landcover_classes, palette=landcover_palette)
lsmask_metainfo = dict(classes=('ocean', 'land', 'lake'), palette=[[20, 60, 150], [215, 190, 120], [60, 220, 240]])
# Names for the visualizer. mmpretrain numbers classes by their sorted folders, with these names or without, and checks
# only how many there are; so a split has an empty folder for a class that it lacks, and these names are sorted too.
scene_classes = ('barren', 'cropland', 'evergreen_broadleaf_forest', 'grassland', 'mixed_forest', 'open_shrubland',
                 'savanna', 'water', 'woody_savanna')
coast_metainfo = dict(classes=('island', 'lake'), palette=[(255, 200, 0), (0, 230, 255)])
tree_metainfo = dict(classes=('tree', ), palette=[(255, 80, 60)])

# Tiles are of 32 (cls), 64 (coast, maps) and 128 (trees) pixels; the sizes below give the deep stages a few positions.
cls_train = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=64),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackInputs'),
]
cls_test = [dict(type='LoadImageFromFile'), dict(type='Resize', scale=64), dict(type='PackInputs')]
digit_train = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=40),
    dict(type='RandomCrop', crop_size=32),
    dict(type='PackInputs'),
]
digit_test = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=40),
    dict(type='CenterCrop', crop_size=32),
    dict(type='PackInputs'),
]
det_train = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='Resize', scale=(128, 128), keep_ratio=False),
    dict(type='RandomFlip', prob=0.5, direction=['horizontal', 'vertical']),
    dict(type='PackDetInputs'),
]
det_test = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=(128, 128), keep_ratio=False),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='PackDetInputs', meta_keys=('img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor')),
]
seg_train = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations'),
    dict(type='Resize', scale=(96, 96), keep_ratio=False),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackSegInputs'),
]
seg_test = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=(96, 96), keep_ratio=False),
    dict(type='LoadAnnotations'),
    dict(type='PackSegInputs'),
]

landcover_cls_data = dict(
    type='mmpretrain.CustomDataset', data_root=data_root + 'landcover_cls', data_prefix='train',
    metainfo=dict(classes=scene_classes), pipeline=cls_train)
digits_cls_data = dict(
    type='mmpretrain.CustomDataset', data_root=data_root + 'digits_cls', data_prefix='train', pipeline=digit_train)
coast_det_data = dict(
    type='mmdet.CocoDataset', data_root=data_root + 'coast_det', ann_file='train/annotations.json',
    data_prefix=dict(img='train/images'), metainfo=coast_metainfo, pipeline=det_train)
tree_det_data = dict(
    type='mmdet.CocoDataset', data_root=data_root + 'tree_det', ann_file='train/annotations.json',
    data_prefix=dict(img='train/images'), metainfo=tree_metainfo, pipeline=det_train)
landcover_seg_data = dict(
    type='mmseg.BaseSegDataset', data_root=data_root + 'landcover_seg', img_suffix='.png',
    data_prefix=dict(img_path='train/img_dir', seg_map_path='train/ann_dir'), metainfo=landcover_metainfo,
    pipeline=seg_train)
lsmask_seg_data = dict(
    type='mmseg.BaseSegDataset', data_root=data_root + 'lsmask_seg', img_suffix='.png',
    data_prefix=dict(img_path='train/img_dir', seg_map_path='train/ann_dir'), metainfo=lsmask_metainfo,
    pipeline=seg_train)

train_dataloader = dict(
    batch_size=dict(landcover_cls=12, digits_cls=12, coast_det=3, tree_det=3, landcover_seg=6, lsmask_seg=3),
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    batch_sampler=dict(type='xlearner_mm.MultiSourceBatchSampler'),
    collate_fn=dict(type='xlearner_mm.collate_by_source'),
    dataset=dict(
        type='xlearner_mm.MultiSourceDataset',
        sources=dict(
            landcover_cls=dict(task='cls', dataset=landcover_cls_data),
            digits_cls=dict(task='cls', dataset=digits_cls_data),
            coast_det=dict(task='det', dataset=coast_det_data),
            tree_det=dict(task='det', dataset=tree_det_data),
            landcover_seg=dict(task='seg', dataset=landcover_seg_data),
            lsmask_seg=dict(task='seg', dataset=lsmask_seg_data))))

val_sampler = dict(type='DefaultSampler', shuffle=False)
val_dataloader = dict(
    landcover_cls=dict(
        batch_size=64, num_workers=0, sampler=val_sampler,
        dataset=dict(landcover_cls_data, data_prefix='val', pipeline=cls_test, test_mode=True)),
    digits_cls=dict(
        batch_size=64, num_workers=0, sampler=val_sampler,
        dataset=dict(digits_cls_data, data_prefix='val', pipeline=digit_test, test_mode=True)),
    coast_det=dict(
        batch_size=16, num_workers=0, sampler=val_sampler,
        dataset=dict(coast_det_data, ann_file='val/annotations.json', data_prefix=dict(img='val/images'),
                     pipeline=det_test, test_mode=True)),
    tree_det=dict(
        batch_size=16, num_workers=0, sampler=val_sampler,
        dataset=dict(tree_det_data, ann_file='val/annotations.json', data_prefix=dict(img='val/images'),
                     pipeline=det_test, test_mode=True)),
    landcover_seg=dict(
        batch_size=16, num_workers=0, sampler=val_sampler,
        dataset=dict(landcover_seg_data, data_prefix=dict(img_path='val/img_dir', seg_map_path='val/ann_dir'),
                     pipeline=seg_test, test_mode=True)),
    lsmask_seg=dict(
        batch_size=16, num_workers=0, sampler=val_sampler,
        dataset=dict(lsmask_seg_data, data_prefix=dict(img_path='val/img_dir', seg_map_path='val/ann_dir'),
                     pipeline=seg_test, test_mode=True)))
val_evaluator = dict(
    landcover_cls=dict(type='mmpretrain.Accuracy'),
    digits_cls=dict(type='mmpretrain.Accuracy'),
    coast_det=dict(type='mmdet.CocoMetric', ann_file=data_root + 'coast_det/val/annotations.json', metric='bbox'),
    tree_det=dict(type='mmdet.CocoMetric', ann_file=data_root + 'tree_det/val/annotations.json', metric='bbox'),
    landcover_seg=dict(type='mmseg.IoUMetric', iou_metrics=['mIoU']),
    lsmask_seg=dict(type='mmseg.IoUMetric', iou_metrics=['mIoU']))
