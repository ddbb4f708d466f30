"""A fixed sample of the libraries' own configs as branches; benchmarks/compose_coverage.py tries one of every kind."""

import gc

import pytest

from stock_step import try_config

pytestmark = pytest.mark.compat

TRAIN = [
    'mmpretrain:resnet/resnet18_8xb32_in1k.py',
    'mmpretrain:csra/resnet101-csra_1xb16_voc07-448px.py',  # several labels an image
    'mmpretrain:deit/deit-tiny-distilled_4xb256_in1k.py',
    'mmpretrain:mobilenet_v2/mobilenet-v2_8xb32_in1k.py',
    'mmpretrain:mocov3/benchmarks/vit-small-p16_8xb128-linear-coslr-90e_in1k.py',
    'mmpretrain:swin_transformer/swin-tiny_16xb64_in1k.py',
    'mmseg:convnext/convnext-tiny_upernet_8xb2-amp-160k_ade20k-512x512.py',
    'mmseg:deeplabv3plus/deeplabv3plus_r18-d8_4xb2-80k_cityscapes-512x1024.py',
    'mmseg:knet/knet-s3_r50-d8_fcn_8xb2-adamw-80k_ade20k-512x512.py',
    'mmseg:mask2former/mask2former_r50_8xb2-160k_ade20k-512x512.py',
    'mmseg:ocrnet/ocrnet_hr18_4xb2-160k_cityscapes-512x1024.py',  # CascadeEncoderDecoder
    'mmseg:point_rend/pointrend_r50_4xb2-80k_cityscapes-512x1024.py',
    'mmseg:segformer/segformer_mit-b0_8xb1-160k_cityscapes-1024x1024.py',
    'mmseg:segmenter/segmenter_vit-t_mask_8xb1-160k_ade20k-512x512.py',
    'mmdet:atss/atss_r18_fpn_8xb8-amp-lsj-200e_coco.py',
    'mmdet:cascade_rcnn/cascade-rcnn_r18_fpn_8xb8-amp-lsj-200e_coco.py',
    'mmdet:conditional_detr/conditional-detr_r50_8xb2-50e_coco.py',
    'mmdet:condinst/condinst_r50_fpn_ms-poly-90k_coco_instance.py',
    'mmdet:dino/dino-4scale_r50_8xb2-12e_coco.py',
    'mmdet:faster_rcnn/faster-rcnn_r50-caffe-c4_ms-1x_coco.py',  # a backbone's stage in the head
    'mmdet:fcos/fcos_r50-caffe_fpn_gn-head-center_1x_coco.py',
    'mmdet:gfl/gfl_r50_fpn_1x_coco.py',
    'mmdet:htc/htc_r50_fpn_1x_coco.py',
    'mmdet:mask2former/mask2former_r50_8xb2-lsj-50e_coco-panoptic.py',
    'mmdet:mask_rcnn/mask-rcnn_r18_fpn_8xb8-amp-lsj-200e_coco.py',
    'mmdet:panoptic_fpn/panoptic-fpn_r50_fpn_1x_coco.py',
    'mmdet:pvt/retinanet_pvt-t_fpn_1x_coco.py',
    'mmdet:rtmdet/rtmdet-ins_tiny_8xb32-300e_coco.py',
    'mmdet:solov2/solov2-light_r18_fpn_ms-3x_coco.py',
    'mmdet:sparse_rcnn/sparse-rcnn_r50_fpn_1x_coco.py',
    'mmdet:yolo/yolov3_mobilenetv2_8xb24-320-300e_coco.py',
    'mmdet:yolox/yolox_tiny_8xb8-300e_coco.py',
]

REFUSED = [
    ('mmpretrain:mae/mae_vit-base-p16_8xb512-amp-coslr-1600e_in1k.py', 'refused', 'MAE'),
    ('mmpretrain:dinov2/vit-small-p14_dinov2-pre_headless.py', 'refused', 'no head'),
    ('mmpretrain:vgg/vgg16_8xb16_voc.py', 'unsupported', 'Backbone VGG'),
    ('mmseg:unet/unet-s5-d16_fcn_4xb4-160k_cityscapes-512x1024.py', 'unsupported', 'Backbone UNet'),
    ('mmdet:sort/sort_faster-rcnn_r50_fpn_8xb2-4e_mot17halftrain_test-mot17halfval.py', 'refused', 'DeepSORT'),
    ('mmdet:detectors/detectors_cascade-rcnn_r50_1x_coco.py', 'refused', 'reaches into its backbone'),
    ('mmdet:grounding_dino/grounding_dino_swin-t_finetune_16xb2_1x_coco.py', 'refused', 'GroundingDINO'),
    ('mmdet:lad/lad_r101-paa-r50_fpn_2xb8_coco_1x.py', 'refused', 'LAD'),
    ('mmdet:soft_teacher/soft-teacher_faster-rcnn_r50-caffe_fpn_180k_semi-0.01-coco.py', 'refused', 'SoftTeacher'),
    ('mmdet:tridentnet/tridentnet_r50-caffe_1x_coco.py', 'refused', 'TridentFasterRCNN'),
]


@pytest.fixture(autouse=True)
def _free_the_model():
    yield
    gc.collect()  # a branch knows its owner: a cycle, and the next model is as large


@pytest.mark.parametrize('stock', TRAIN)
def test_a_stock_model_trains_a_step_as_a_branch(stock):
    outcome = try_config(stock)
    assert outcome.kind == 'trains', outcome.reason


@pytest.mark.parametrize(('stock', 'kind', 'reason'), REFUSED)
def test_what_cannot_be_a_branch_is_refused_by_name(stock, kind, reason):
    outcome = try_config(stock)
    assert (outcome.kind, reason in outcome.reason) == (kind, True), outcome
