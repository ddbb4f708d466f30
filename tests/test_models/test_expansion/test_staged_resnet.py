import pytest
import torch
from mmengine.registry import MODELS

from staged_checks import assert_equals_stock, assert_leaves_no_trace, assert_trains_a_step
from tiny import CHANNELS, resnet
from xlearner_mm.models.expansion import StagedResNet, build_staged_backbone

pytestmark = pytest.mark.compat


def variant(name, **kwargs):
    library, kind = name.split('.')
    depth = {} if kind in ('ResNet', 'ResNetV1c', 'ResNetV1d') else dict(depth=50)
    return resnet(library, type=name, out_indices=(0, 1, 2, 3), **{**depth, **kwargs})


GROUPS = dict(groups=2, base_width=4)
SPLIT = dict(groups=1, radix=2, reduction_factor=2, avg_down_stride=True)
RESNEST, PRETRAIN_RESNEST = dict(SPLIT, base_width=8), dict(SPLIT, width_per_group=8)
RES2NET = dict(scales=2, base_width=26)
VARIANTS = [
    variant('mmdet.ResNet'),
    variant('mmdet.ResNet', deep_stem=True, style='caffe'),
    variant('mmdet.ResNet', depth=50, plugins=[
        dict(cfg=dict(type='ContextBlock', ratio=1. / 4), stages=(False, True, True, True), position='after_conv3')]),
    variant('mmdet.ResNetV1d'),
    variant('mmdet.ResNeXt', **GROUPS),
    variant('mmdet.Res2Net', **RES2NET),
    variant('mmdet.ResNeSt', **RESNEST),
    variant('mmseg.ResNet'),
    variant('mmseg.ResNetV1c', dilations=(1, 1, 2, 4), strides=(1, 2, 1, 1), contract_dilation=True),
    variant('mmseg.ResNetV1d', multi_grid=(1, 2), dilations=(1, 1, 1, 2), strides=(1, 2, 2, 1)),
    variant('mmseg.ResNeXt', **GROUPS),
    variant('mmseg.ResNeSt', **RESNEST),
    variant('mmpretrain.ResNet', drop_path_rate=0.5),
    variant('mmpretrain.ResNetV1c'),
    variant('mmpretrain.ResNetV1d'),
    variant('mmpretrain.ResNeXt', groups=2, width_per_group=4),
    variant('mmpretrain.SEResNet', se_ratio=4),
    variant('mmpretrain.SEResNeXt', se_ratio=4, groups=2, width_per_group=4),
    variant('mmpretrain.Res2Net', **RES2NET),
    variant('mmpretrain.ResNeSt', **PRETRAIN_RESNEST),
]


@pytest.mark.parametrize('cfg', VARIANTS, ids=lambda c: c['type'])
@pytest.mark.parametrize('training', [True, False])
def test_staged_forward_equals_stock_bit_for_bit(cfg, training):
    assert_equals_stock(cfg, training, num_stages=4)


@pytest.mark.parametrize('options', [dict(with_cp=True), dict(frozen_stages=2), dict(norm_eval=True)], ids=str)
def test_options_of_the_stock_backbone(options):
    assert_equals_stock({**variant('mmdet.ResNet'), **options}, training=True, num_stages=4)


def test_odd_sizes():
    assert_equals_stock(variant('mmdet.ResNet'), training=True, num_stages=4, size=(75, 51))


@pytest.mark.parametrize('cfg, expansion, strides', [
    (variant('mmdet.ResNet'), 1, (4, 8, 16, 32)),
    (variant('mmpretrain.ResNeSt', **PRETRAIN_RESNEST), 4, (4, 8, 16, 32)),
    (variant('mmseg.ResNetV1c', dilations=(1, 1, 2, 4), strides=(1, 2, 1, 1)), 1, (4, 8, 8, 8)),
], ids=['ResNet', 'ResNeSt', 'dilated'])
def test_shapes_leave_no_trace(cfg, expansion, strides):
    assert_leaves_no_trace(StagedResNet, cfg, tuple(expansion * c for c in CHANNELS), strides)


def test_fewer_stages():
    backbone = MODELS.build(resnet(num_stages=3, out_indices=(0, 2), strides=(1, 2, 2), dilations=(1, 1, 1)))
    staged = build_staged_backbone(backbone)
    assert type(staged) is StagedResNet and staged.num_stages == 3
    images = torch.randn(1, 3, 64, 64)
    maps = staged.emit(staged.features(images), (0, 2), 'maps')
    assert all(torch.equal(a, b) for a, b in zip(maps, backbone(images)))


@pytest.mark.parametrize('name, options', [
    ('mmpretrain.SEResNet', dict(se_ratio=4)), ('mmdet.Res2Net', RES2NET), ('mmseg.ResNeSt', RESNEST)])
def test_an_expansion_trains_a_step(name, options):
    assert_trains_a_step(*[variant(name, **options)] * 3)


def test_variants_in_one_expansion_train_a_step():
    assert_trains_a_step(variant('mmpretrain.SEResNeXt', se_ratio=4, groups=2, width_per_group=4),
                         variant('mmdet.Res2Net', **RES2NET), variant('mmseg.ResNetV1c'))
