# Transfer: land cover of the held-out Americas, by a stock mmseg segmentor.
# From an exported backbone: --cfg-options
#   model.backbone.init_cfg.type=Pretrained model.backbone.init_cfg.checkpoint=FILE
_base_ = ['./_base_/earth_data.py', './_base_/earth_models.py', './_base_/earth_transfer.py']
default_scope = 'mmseg'

model = dict(_base_.segmentor, backbone=dict(type='ResNet', depth=18, stem_channels=16, base_channels=16))
train_dataloader = dict(
    _delete_=True,
    batch_size=16,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type='InfiniteSampler', shuffle=True),
    dataset=dict(_base_.landcover_seg_data, data_prefix=dict(img_path='transfer_train/img_dir',
                                                             seg_map_path='transfer_train/ann_dir')))
val_dataloader = dict(
    _delete_=True,
    batch_size=16,
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(_base_.landcover_seg_data, data_prefix=dict(img_path='transfer_val/img_dir',
                                                             seg_map_path='transfer_val/ann_dir'),
                 pipeline=_base_.seg_test, test_mode=True))
val_evaluator = dict(_delete_=True, type='IoUMetric', iou_metrics=['mIoU'])
# For mim run xlearner_mm transfer: how backbones are compared on it.
downstream = dict(protocol='fine_tune', metric='mIoU', channels={'model.neck.in_channels': [0, 1, 2, 3]})
