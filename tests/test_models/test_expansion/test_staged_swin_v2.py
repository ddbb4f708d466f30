import pytest
import torch
from torch import nn

from staged_checks import assert_equals_stock, assert_leaves_no_trace, build, train_a_step
from tiny import resnet
from xlearner_mm.models.expansion import StageShape, build_staged_backbone
from xlearner_mm.models.expansion.staged_swin_v2 import StagedSwinV2

pytestmark = pytest.mark.compat


def swin(**kwargs):
    arch = dict(embed_dims=8, depths=[1, 2, 2, 1], num_heads=[1, 2, 2, 4], extra_norm_every_n_blocks=0)
    cfg = dict(type='mmpretrain.SwinTransformerV2', arch=arch, img_size=64, window_size=3, pad_small_map=True,
               out_indices=(0, 1, 2, 3), drop_path_rate=0.3)
    return {**cfg, **kwargs}


@pytest.mark.parametrize('size', [(64, 64), (72, 56)])
@pytest.mark.parametrize('training', [True, False])
def test_staged_forward_equals_stock_bit_for_bit(training, size):
    assert_equals_stock(swin(), training, 4, size)


@pytest.mark.parametrize('training', [True, False])
@pytest.mark.parametrize('index', range(4))
def test_built_for_a_single_index(index, training):
    backbone, images = build(swin(out_indices=(index, )), training), torch.randn(2, 3, 72, 56)
    torch.manual_seed(1)
    stock, = backbone(images)
    torch.manual_seed(1)
    staged = build_staged_backbone(backbone)
    own, = staged.emit(staged.features(images, index), (index, ), 'maps')
    assert torch.equal(own, stock)


@pytest.mark.parametrize('cfg', [
    swin(frozen_stages=1, drop_rate=0.2),
    swin(pad_small_map=False, window_size=[4, 4, 2, 2], pretrained_window_sizes=[3, 3, 3, 2], with_cp=True),
    swin(norm_cfg=None, patch_cfg=dict(norm_cfg=None)),
    swin(arch=dict(embed_dims=8, depths=[2, 2, 2, 2], num_heads=[1, 2, 2, 4], extra_norm_every_n_blocks=2)),
])
def test_options_of_the_stock_backbone(cfg):
    assert_equals_stock(cfg, training=True, num_stages=4)


@pytest.mark.parametrize('img_size', [(72, 56), 96])
def test_absolute_positions(img_size):
    backbone, images = build(swin(use_abs_pos_embed=True, img_size=img_size, drop_rate=0.2)), torch.randn(2, 3, 72, 56)
    nn.init.normal_(backbone.absolute_pos_embed)  # starts at 0, which would tell nothing
    torch.manual_seed(1)
    stock = backbone(images)
    torch.manual_seed(1)
    staged = build_staged_backbone(backbone)
    maps = staged.emit(staged.features(images), (0, 1, 2, 3), 'maps')
    assert all(torch.equal(a, b) for a, b in zip(maps, stock, strict=True))


def test_shapes_leave_no_trace():
    cfg = swin(pad_small_map=False, window_size=8)  # too large for an image of 64 px
    assert_leaves_no_trace(StagedSwinV2, cfg, (8, 16, 32, 64), (4, 8, 16, 32))


def test_shapes_are_those_of_a_pass():
    staged = build_staged_backbone(build(swin()))
    features = staged.features(torch.randn(1, 3, 64, 64))
    assert type(staged) is StagedSwinV2
    assert staged.shapes() == [StageShape(f.shape[1], 64 // f.shape[-1]) for f in features]


def test_stages_without_a_norm():
    staged = build_staged_backbone(build(swin(out_indices=(3, ))))
    assert staged.emits() == (3, )
    features = staged.features(torch.randn(1, 3, 64, 64))
    with pytest.raises(ValueError, match=r'SwinTransformerV2 with out_indices=\(3,\) has no output norm for stage 0\. '
                       'Mend out_indices of this backbone so that they name stage 0'):
        staged.emit(features, (0, ), 'maps')


def test_an_expansion_trains_a_step():
    train_a_step(*[swin(drop_path_rate=0.)] * 3)


def test_mixed_with_a_resnet():
    train_a_step(swin(drop_path_rate=0.), resnet())
