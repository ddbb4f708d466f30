"""Tiny stock models and batches: the real classes of the three libraries, a few thousand parameters each."""

from typing import Any

import torch
from mmdet.structures import DetDataSample
from mmengine.config import ConfigDict
from mmengine.structures import InstanceData, PixelData
from mmpretrain.structures import DataSample
from mmseg.structures import SegDataSample

CHANNELS = (8, 16, 32, 64)


def resnet(library: str = 'mmdet', **kwargs: Any) -> dict:
    """ResNet-18 of an eighth of the usual width."""
    cfg = dict(type=f'{library}.ResNet', depth=18, base_channels=8, stem_channels=8, norm_eval=False,
               zero_init_residual=False)
    if library == 'mmpretrain':
        cfg.update(out_indices=(0, 1, 2, 3))
    return {**cfg, **kwargs}


def port(out_indices=(0, 1, 2, 3), output='maps', **kwargs: Any) -> dict:
    return dict(type='xlearner_mm.BackbonePort', out_indices=out_indices, output=output, **kwargs)


def classifier(num_classes: int = 3, backbone: Any = None, channels: int = CHANNELS[-1]) -> dict:
    return dict(
        type='mmpretrain.ImageClassifier',
        data_preprocessor=dict(type='mmpretrain.ClsDataPreprocessor', mean=[127.5] * 3, std=[127.5] * 3),
        backbone=backbone or port(out_indices=(3, )),
        neck=dict(type='mmpretrain.GlobalAveragePooling'),
        head=dict(
            type='mmpretrain.LinearClsHead',
            num_classes=num_classes,
            in_channels=channels,
            loss=dict(type='mmpretrain.CrossEntropyLoss')))


def segmentor(num_classes: int = 4, backbone: Any = None, channels: int = CHANNELS[-1]) -> dict:
    return dict(
        type='mmseg.EncoderDecoder',
        data_preprocessor=dict(
            type='mmseg.SegDataPreProcessor', mean=[127.5] * 3, std=[127.5] * 3, pad_val=0, seg_pad_val=255,
            size=(64, 64)),
        backbone=backbone or port(),
        decode_head=dict(
            type='mmseg.FCNHead',
            in_channels=channels,
            in_index=3,
            channels=8,
            num_convs=1,
            num_classes=num_classes,
            norm_cfg=dict(type='BN'),
            dropout_ratio=0.1,
            loss_decode=dict(type='mmseg.CrossEntropyLoss')),
        train_cfg=dict(),
        test_cfg=dict(mode='whole'))


def detector(num_classes: int = 2, backbone: Any = None, channels=CHANNELS) -> dict:
    return dict(
        type='mmdet.FCOS',
        data_preprocessor=dict(
            type='mmdet.DetDataPreprocessor', mean=[127.5] * 3, std=[127.5] * 3, pad_size_divisor=32),
        backbone=backbone or port(),
        neck=dict(
            type='mmdet.FPN', in_channels=list(channels), out_channels=8, start_level=1, num_outs=3,
            add_extra_convs=False),
        bbox_head=dict(
            type='mmdet.FCOSHead',
            num_classes=num_classes,
            in_channels=8,
            feat_channels=8,
            stacked_convs=1,
            strides=[8, 16, 32],
            regress_ranges=((-1, 16), (16, 32), (32, 1e8)),
            norm_cfg=None),
        test_cfg=dict(nms_pre=50, min_bbox_size=0, score_thr=0.0, nms=dict(type='nms', iou_threshold=0.5),
                      max_per_img=5))


def two_stage_detector(num_classes: int = 2, channels=CHANNELS) -> dict:
    anchors = dict(type='mmdet.AnchorGenerator', scales=[4], ratios=[1.0], strides=[8, 16, 32])
    coder = dict(type='mmdet.DeltaXYWHBBoxCoder')
    assigner = dict(type='mmdet.MaxIoUAssigner', pos_iou_thr=0.5, neg_iou_thr=0.4, min_pos_iou=0.3)
    return dict(
        type='mmdet.FasterRCNN',
        data_preprocessor=dict(
            type='mmdet.DetDataPreprocessor', mean=[127.5] * 3, std=[127.5] * 3, pad_size_divisor=32),
        backbone=port(),
        neck=dict(type='mmdet.FPN', in_channels=list(channels), out_channels=8, start_level=1, num_outs=3),
        rpn_head=dict(type='mmdet.RPNHead', in_channels=8, feat_channels=8, anchor_generator=anchors,
                      bbox_coder=coder),
        roi_head=dict(
            type='mmdet.StandardRoIHead',
            bbox_roi_extractor=dict(
                type='mmdet.SingleRoIExtractor', roi_layer=dict(type='RoIAlign', output_size=3, sampling_ratio=0),
                out_channels=8, featmap_strides=[8, 16, 32]),
            bbox_head=dict(
                type='mmdet.Shared2FCBBoxHead', in_channels=8, fc_out_channels=16, roi_feat_size=3,
                num_classes=num_classes, bbox_coder=coder)),
        train_cfg=dict(
            rpn=dict(assigner=assigner, allowed_border=-1, pos_weight=-1, sampler=dict(
                type='mmdet.RandomSampler', num=16, pos_fraction=0.5, add_gt_as_proposals=False)),
            rpn_proposal=dict(nms_pre=50, max_per_img=20, nms=dict(type='nms', iou_threshold=0.7), min_bbox_size=0),
            rcnn=dict(assigner=assigner, sampler=dict(type='mmdet.RandomSampler', num=8, pos_fraction=0.5),
                      pos_weight=-1)),
        test_cfg=dict(
            rpn=dict(nms_pre=50, max_per_img=20, nms=dict(type='nms', iou_threshold=0.7), min_bbox_size=0),
            rcnn=dict(score_thr=0.0, nms=dict(type='nms', iou_threshold=0.5), max_per_img=5)))


def xlearner(squeeze: Any = True, expanded: bool = True, **kwargs: Any) -> ConfigDict:
    """Three tasks, a source each; ``squeeze`` may be its arguments."""
    cfg = dict(
        type='xlearner_mm.XLearner',
        backbone=dict(
            type='xlearner_mm.ExpandedBackbone',
            sub_backbones=dict(cls=resnet('mmpretrain'), det=resnet('mmdet'), seg=resnet('mmseg')))
        if expanded else resnet(),
        branches=dict(
            photos=dict(task='cls', model=classifier()),
            boxes=dict(task='det', model=detector()),
            maps=dict(task='seg', model=segmentor())))
    if squeeze:
        cfg['squeeze'] = dict(student=resnet()) if squeeze is True else squeeze
    return ConfigDict({**cfg, **kwargs})


def batch(source: str, n: int = 2, size: int = 64, seed: int = 0) -> dict:
    """A stock batch as its library's collate gives it, its samples marked with the source."""
    g = torch.Generator().manual_seed(seed)
    inputs = [torch.randint(0, 256, (3, size, size), generator=g, dtype=torch.uint8) for _ in range(n)]
    make = dict(photos=_photo, boxes=_boxes, maps=_map)[source]
    task = dict(photos='cls', boxes='det', maps='seg')[source]
    samples = [make(i, size) for i in range(n)]
    for sample in samples:
        sample.set_metainfo(dict(source=source, task=task, img_path=f'{source}.png'))
    return dict(inputs=inputs, data_samples=samples)


def _photo(i: int, size: int) -> DataSample:
    return DataSample(metainfo=dict(img_shape=(size, size), ori_shape=(size, size))).set_gt_label(i % 3)


def _boxes(i: int, size: int) -> DetDataSample:
    sample = DetDataSample(metainfo=dict(
        img_id=i, img_shape=(size, size), ori_shape=(size, size), pad_shape=(size, size),
        batch_input_shape=(size, size), scale_factor=(1.0, 1.0)))
    sample.gt_instances = InstanceData(
        bboxes=torch.tensor([[4., 4., 20. + i, 24.], [30., 28., 60., 60.]]), labels=torch.tensor([0, 1]))
    sample.ignored_instances = InstanceData(bboxes=torch.zeros(0, 4), labels=torch.zeros(0, dtype=torch.long))
    return sample


def _map(i: int, size: int) -> SegDataSample:
    sample = SegDataSample(metainfo=dict(img_shape=(size, size), ori_shape=(size, size), pad_shape=(size, size)))
    label = torch.zeros(1, size, size, dtype=torch.long)
    label[:, :, size // 2:] = 1 + i % 3
    label[:, :4] = 255
    sample.gt_sem_seg = PixelData(data=label)
    return sample


def batches(*sources: str, **kwargs: Any) -> dict:
    return {source: batch(source, **kwargs) for source in sources or ('photos', 'boxes', 'maps')}
