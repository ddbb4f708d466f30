# Transfer: land cover of tiles of the held-out Americas, by a stock mmpretrain classifier.
# From an exported backbone: --cfg-options
#   model.backbone.init_cfg.type=Pretrained model.backbone.init_cfg.checkpoint=FILE
_base_ = ['./_base_/earth_data.py', './_base_/earth_models.py', './_base_/earth_transfer.py']
default_scope = 'mmpretrain'

model = dict(_base_.classifier, backbone=dict(type='ResNet', depth=18, stem_channels=16, base_channels=16))
train_dataloader = dict(
    _delete_=True,
    batch_size=32,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type='InfiniteSampler', shuffle=True),
    dataset=dict(_base_.landcover_cls_data, data_prefix='transfer_train'))
val_dataloader = dict(
    _delete_=True,
    batch_size=64,
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(_base_.landcover_cls_data, data_prefix='transfer_val',
                 pipeline=_base_.cls_test, test_mode=True))
val_evaluator = dict(_delete_=True, type='Accuracy')
# For mim run xlearner_mm transfer: how backbones are compared on it.
downstream = dict(protocol='fine_tune', metric='accuracy/top1', channels={'model.head.in_channels': 3})
