import pytest
from mmengine.registry import MODELS

from tiny import resnet
from xlearner_mm.models import BackbonePort
from xlearner_mm.models.expansion import build_staged_backbone
from xlearner_mm.models.port_check import check_ports

pytestmark = pytest.mark.compat


def staged(**kwargs):
    return build_staged_backbone(MODELS.build(resnet(**kwargs)))


def test_equal_backbones_pass():
    check_ports('a', [BackbonePort()], [staged(), staged()])


def test_a_student_that_differs_only_where_nobody_looks_passes():
    deep = staged(num_stages=3, strides=(1, 2, 2), dilations=(1, 1, 1), out_indices=(0, 1, 2))
    check_ports('a', [BackbonePort(out_indices=(2, ))], [staged(), deep])
    with pytest.raises(ValueError, match="source 'a' wants out_indices=\\(3,\\), but a ResNet has the stages 0 to 2"):
        check_ports('a', [BackbonePort(out_indices=(3, ))], [staged(), deep])


def test_other_channels_are_refused():
    with pytest.raises(ValueError, match=r"source 'a' reads stages of channels \(8, 16\) in the.*gives \(16, 32\)"):
        check_ports('a', [BackbonePort(out_indices=(0, 1))], [staged(), staged(base_channels=16)])


def test_other_strides_are_refused_for_maps_only():
    dilated = staged(strides=(1, 2, 1, 1), dilations=(1, 1, 2, 4))
    with pytest.raises(ValueError, match=r"source 'a' reads stages of stride \(4, 8, 16, 32\) in the expansion.*the "
                                         r'student gives \(4, 8, 8, 8\).*squeeze.branches=dict\(a=...\)'):
        check_ports('a', [BackbonePort()], [staged(), dilated])
    check_ports('a', [BackbonePort(out_indices=(0, 1))], [staged(), dilated])
    check_ports('a', [BackbonePort(output='vector')], [staged(), dilated])


def test_stages_without_an_output_norm_are_refused():
    swin = build_staged_backbone(MODELS.build(dict(
        type='mmdet.SwinTransformer', embed_dims=8, depths=(1, 1, 1, 1), num_heads=(1, 1, 1, 1), window_size=2,
        out_indices=(1, 3))))
    check_ports('boxes', [BackbonePort(out_indices=(1, 3))], [swin])
    with pytest.raises(ValueError, match=r"'boxes' wants out_indices=\(0, 1, 2, 3\), but its SwinTransformer has no "
                                         r'output norm for \[0, 2\]\. Mend out_indices of that sub-backbone'):
        check_ports('boxes', [BackbonePort()], [swin])
