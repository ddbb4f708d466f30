import pytest

from xlearner_mm.compose.refused_models import check_model
from xlearner_mm.compose.stock_source import read_source, with_prefix

pytestmark = pytest.mark.compat

REFUSED = {
    'mmdet:tridentnet/tridentnet_r50-caffe_1x_coco.py': 'reaches into its backbone',
    'mmdet:detectors/detectors_htc-r50_1x_coco.py': 'reaches into its backbone',
    'mmdet:lad/lad_r50-paa-r101_fpn_2xb8_coco_1x.py': 'reaches into its backbone',
    'mmdet:ld/ld_r18-gflv1-r101_fpn_1x_coco.py': 'distils from a network of its own',
    'mmdet:glip/glip_atss_swin-t_a_fpn_dyhead_pretrain_obj365.py': 'reads text',
    'mmdet:soft_teacher/soft-teacher_faster-rcnn_r50-caffe_fpn_180k_semi-0.1-coco.py': 'semi-supervised',
    'mmdet:bytetrack/bytetrack_yolox_x_8xb4-80e_crowdhuman-mot17halftrain_test-mot17halfval.py': 'works on videos',
    'mmpretrain:mae/mae_vit-base-p16_8xb512-amp-coslr-300e_in1k.py': 'self-supervised',
    'mmpretrain:dinov2/vit-small-p14_dinov2-pre_headless.py': 'has no head, and so no loss',
    'mmpretrain:blip/blip-base_8xb32_caption.py': 'is no detector, segmentor or classifier',
    'mmseg:san/san-vit-b16_coco-stuff164k-640x640.py': 'reads text',
}


@pytest.mark.parametrize('stock', REFUSED)
def test_what_is_no_branch_is_refused_with_the_reason(stock):
    source = read_source('a', stock)
    with pytest.raises(ValueError, match=REFUSED[stock]) as caught:
        check_model(source, with_prefix(source.cfg.model, source.library))
    assert str(caught.value).startswith("Source 'a': ") and source.config in str(caught.value)


def test_an_unknown_class_is_named():
    source = read_source('a', 'mmdet:fcos/fcos_r50-caffe_fpn_gn-head_1x_coco.py')
    with pytest.raises(ValueError, match='mmdet.Fcos is not registered'):
        check_model(source, dict(type='mmdet.Fcos'))
