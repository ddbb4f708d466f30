import pytest
import torch
from mmengine.registry import MODELS

from staged_checks import assert_equals_stock, assert_leaves_no_trace, assert_trains_a_step
from tiny import resnet
from xlearner_mm.models.expansion import build_staged_backbone
from xlearner_mm.models.expansion.staged_mobile_net_v2 import StagedMobileNetV2

pytestmark = pytest.mark.compat

LAYERS = dict(mmdet=8, mmseg=7, mmpretrain=8)
STRIDES = (2, 4, 8, 16, 16, 32, 32, 32)
CHANNELS = (8, 8, 8, 8, 16, 16, 32, 1280)


def mobile_net(library, **kwargs):
    return dict(type=f'{library}.MobileNetV2', widen_factor=0.1, out_indices=tuple(range(LAYERS[library])), **kwargs)


@pytest.mark.parametrize('library', LAYERS)
@pytest.mark.parametrize('training', [True, False])
def test_staged_forward_equals_stock_bit_for_bit(library, training):
    assert_equals_stock(mobile_net(library), training, LAYERS[library])


@pytest.mark.parametrize('indices, library', [((2, 4, 6), 'mmdet'), ((4, 7), 'mmdet'), ((1, 2, 4, 6), 'mmseg')])
def test_indices_of_stock_configs(indices, library):
    backbone = MODELS.build({**mobile_net(library), 'out_indices': indices})
    backbone.eval()
    staged, images = build_staged_backbone(backbone), torch.randn(1, 3, 64, 64)
    maps = staged.emit(staged.features(images, indices[-1]), indices, 'maps')
    assert all(torch.equal(a, b) for a, b in zip(maps, backbone(images), strict=True))


@pytest.mark.parametrize('options', [dict(with_cp=True), dict(frozen_stages=3), dict(norm_eval=True)], ids=str)
@pytest.mark.parametrize('library', LAYERS)
def test_options_of_the_stock_backbone(library, options):
    assert_equals_stock(mobile_net(library, **options), training=True, num_stages=LAYERS[library])


@pytest.mark.parametrize('library', LAYERS)
def test_shapes_leave_no_trace(library):
    n = LAYERS[library]
    assert_leaves_no_trace(StagedMobileNetV2, mobile_net(library), CHANNELS[:n], STRIDES[:n])


def test_dilated():
    cfg = mobile_net('mmseg', strides=(1, 2, 2, 1, 1, 1, 1), dilations=(1, 1, 1, 2, 2, 4, 4))
    assert_equals_stock(cfg, training=True, num_stages=7)
    assert_leaves_no_trace(StagedMobileNetV2, cfg, CHANNELS[:7], (2, 4, 8, 8, 8, 8, 8))


@pytest.mark.parametrize('library', LAYERS)
def test_an_expansion_trains_a_step(library):
    assert_trains_a_step(*[mobile_net(library)] * 3)


def test_mixed_with_a_resnet():
    assert_trains_a_step(mobile_net('mmdet'), resnet(), mobile_net('mmseg'))
