# Transfer: tree crowns of the held-out photograph, by a stock mmdet detector.
# From an exported backbone: --cfg-options
#   model.backbone.init_cfg.type=Pretrained model.backbone.init_cfg.checkpoint=FILE
_base_ = ['./_base_/earth_data.py', './_base_/earth_models.py', './_base_/earth_transfer.py']
default_scope = 'mmdet'

model = dict(
    _base_.tree_detector,
    backbone=dict(type='ResNet', depth=18, stem_channels=16, base_channels=16, norm_eval=False))
train_dataloader = dict(
    _delete_=True,
    batch_size=8,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type='InfiniteSampler', shuffle=True),
    dataset=dict(_base_.tree_det_data, ann_file='transfer_train/annotations.json',
                 data_prefix=dict(img='transfer_train/images')))
val_dataloader = dict(
    _delete_=True,
    batch_size=16,
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(_base_.tree_det_data, ann_file='transfer_val/annotations.json',
                 data_prefix=dict(img='transfer_val/images'), pipeline=_base_.det_test, test_mode=True))
val_evaluator = dict(
    _delete_=True, type='CocoMetric', ann_file=_base_.data_root + 'tree_det/transfer_val/annotations.json',
    metric='bbox')
# For mim run xlearner_mm transfer: how backbones are compared on it.
downstream = dict(
    protocol='fine_tune', metric='coco/bbox_mAP_50', scale=100, channels={'model.neck.in_channels': [0, 1, 2, 3]})
