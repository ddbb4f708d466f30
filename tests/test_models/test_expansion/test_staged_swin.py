import pytest
import torch
from mmengine.registry import MODELS
from torch import nn

from staged_checks import assert_equals_stock, assert_leaves_no_trace, build, train_a_step
from tiny import resnet
from xlearner_mm.models.expansion import StageShape, build_staged_backbone
from xlearner_mm.models.expansion.staged_swin import StagedSwin
from xlearner_mm.models.expansion.tokens import to_tokens

pytestmark = pytest.mark.compat

LIBRARIES = ('mmdet', 'mmseg', 'mmpretrain')
CHANNELS, STRIDES = (8, 16, 32, 64), (4, 8, 16, 32)


def swin(library='mmdet', **kwargs):
    cfg = dict(type=f'{library}.SwinTransformer', out_indices=(0, 1, 2, 3), drop_path_rate=0.3)
    if library == 'mmpretrain':
        arch = dict(embed_dims=8, depths=[1, 2, 2, 1], num_heads=[1, 2, 2, 4])
        cfg.update(arch=arch, img_size=64, window_size=3, pad_small_map=True)
    else:
        cfg.update(embed_dims=8, depths=(1, 2, 2, 1), num_heads=(1, 2, 2, 4), window_size=3, mlp_ratio=2)
    return {**cfg, **kwargs}


@pytest.mark.parametrize('size', [(64, 64), (72, 56)])
@pytest.mark.parametrize('training', [True, False])
@pytest.mark.parametrize('library', LIBRARIES)
def test_staged_forward_equals_stock_bit_for_bit(library, training, size):
    assert_equals_stock(swin(library), training, 4, size)


@pytest.mark.parametrize('library', LIBRARIES)
@pytest.mark.parametrize('training', [True, False])
@pytest.mark.parametrize('index', range(4))
def test_built_for_a_single_index(library, index, training):
    backbone, images = build(swin(library, out_indices=(index, )), training), torch.randn(2, 3, 72, 56)
    torch.manual_seed(1)
    stock, = backbone(images)
    torch.manual_seed(1)
    staged = build_staged_backbone(backbone)
    own, = staged.emit(staged.features(images, index), (index, ), 'maps')
    assert torch.equal(own, stock)


@pytest.mark.parametrize('cfg', [
    swin('mmdet', frozen_stages=2, drop_rate=0.2),
    swin('mmseg', patch_norm=False, with_cp=True),
    swin('mmpretrain', pad_small_map=False, window_size=2, frozen_stages=1),
    swin('mmpretrain', norm_cfg=None, with_cp=True, patch_cfg=dict(norm_cfg=None)),
    swin('mmpretrain', out_after_downsample=True, drop_rate=0.2),
])
def test_options_of_the_stock_backbone(cfg):
    assert_equals_stock(cfg, training=True, num_stages=4)


@pytest.mark.parametrize('cfg', [
    swin('mmdet', use_abs_pos_embed=True, pretrain_img_size=(72, 56), drop_rate=0.2),
    swin('mmseg', use_abs_pos_embed=True, pretrain_img_size=(72, 56)),
    swin('mmpretrain', use_abs_pos_embed=True, img_size=(72, 56)),
    swin('mmpretrain', use_abs_pos_embed=True, img_size=96, drop_rate=0.2),  # resized
])
def test_absolute_positions(cfg):
    backbone, images = build(cfg), torch.randn(2, 3, 72, 56)
    plain = backbone(images)
    nn.init.normal_(backbone.absolute_pos_embed)  # starts at 0, which would tell nothing
    torch.manual_seed(1)
    stock = backbone(images)
    torch.manual_seed(1)
    staged = build_staged_backbone(backbone)
    maps = staged.emit(staged.features(images), (0, 1, 2, 3), 'maps')
    assert all(torch.equal(a, b) for a, b in zip(maps, stock, strict=True))
    assert not torch.allclose(plain[0], stock[0])


def test_positions_for_images_of_another_size():
    staged = build_staged_backbone(build(swin('mmseg', use_abs_pos_embed=True, pretrain_img_size=96)))
    with pytest.raises(ValueError, match='SwinTransformer has use_abs_pos_embed=True with positions for 576 patches, '
                       'but an image gave 16x16 = 256. Resize images to its pretrain_img_size, or'):
        staged.features(torch.randn(1, 3, 64, 64))


def test_dropout_is_active():
    staged = build_staged_backbone(build(swin(drop_path_rate=0., drop_rate=0.5)))
    images = torch.randn(1, 3, 64, 64)
    assert not torch.equal(staged.stem(images), staged.stem(images))


def test_links_add_before_the_merging():
    backbone, seen = build(swin(), training=False), []
    for i in range(3):
        backbone.stages[i].downsample.register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    features = build_staged_backbone(backbone).features(torch.randn(1, 3, 64, 64), reconcile=lambda i, x: x + 1)
    assert len(seen) == 3
    assert all(torch.equal(tokens, to_tokens(feature)[0]) for tokens, feature in zip(seen, features))


def test_outputs_have_the_memory_layout_of_stock():
    for library in LIBRARIES:
        backbone, images = build(swin(library), training=False), torch.randn(2, 3, 64, 64)
        staged = build_staged_backbone(backbone)
        maps = staged.emit(staged.features(images), (0, 1, 2, 3), 'maps')
        assert [m.stride() for m in maps] == [m.stride() for m in backbone(images)]


@pytest.mark.parametrize('cfg', [
    swin('mmdet'),
    swin('mmseg', use_abs_pos_embed=True, pretrain_img_size=(100, 40)),
    swin('mmpretrain', pad_small_map=False, window_size=7),  # too large for an image of 64 px
], ids=LIBRARIES)
def test_shapes_leave_no_trace(cfg):
    assert_leaves_no_trace(StagedSwin, cfg, CHANNELS, STRIDES)


def test_shapes_are_those_of_a_pass():
    for cfg in (swin('mmdet'), swin('mmpretrain'), swin('mmpretrain', out_after_downsample=True)):
        staged = build_staged_backbone(build(cfg, training=False))
        features = staged.features(torch.randn(1, 3, 64, 64))
        assert staged.shapes() == [StageShape(f.shape[1], 64 // f.shape[-1]) for f in features]


def test_vector_is_what_a_stock_classifier_pools():
    backbone, images = build(swin('mmpretrain', out_indices=(3, )), training=False), torch.randn(2, 3, 64, 64)
    staged = build_staged_backbone(backbone)
    assert staged.outputs == ('maps', 'vector')
    vector, = staged.emit(staged.features(images), (3, ), 'vector')
    neck = MODELS.build(dict(type='mmpretrain.GlobalAveragePooling'))
    assert torch.equal(vector, neck(backbone(images))[0])


@pytest.mark.parametrize('output', ['maps', 'vector'])
@pytest.mark.parametrize('library', LIBRARIES)
def test_stages_without_a_norm(library, output):
    staged = build_staged_backbone(build(swin(library, out_indices=(1, 3))))
    assert staged.emits() == (1, 3)
    features = staged.features(torch.randn(1, 3, 64, 64))
    with pytest.raises(ValueError, match=r'SwinTransformer with out_indices=\(1, 3\) has no output norm for stage 2\. '
                       r'Mend out_indices of this backbone so that they name stage 2, or use another stage'):
        staged.emit(features, (1, 2), output)


def test_refuses_a_subclass_with_its_own_forward():
    with pytest.raises(ValueError, match='mmpretrain:SimMIMSwinTransformer.*is not supported'):
        build_staged_backbone(build(dict(type='mmpretrain.SimMIMSwinTransformer', arch=swin('mmpretrain')['arch'])))


@pytest.mark.parametrize('library', LIBRARIES)
def test_an_expansion_trains_a_step(library):
    train_a_step(*[swin(library, drop_path_rate=0.)] * 3)


@pytest.mark.parametrize('detach', [True, False])
def test_mixed_with_a_resnet(detach):
    learned = train_a_step(swin('mmdet', drop_path_rate=0.), resnet(), swin('mmpretrain'), detach=detach)
    assert learned == ({'a'} if detach else {'a', 'b', 'c'})
