import pytest
import torch
from torch import nn

from staged_checks import assert_equals_stock, assert_leaves_no_trace, build, train_a_step
from tiny import resnet
from xlearner_mm.models.expansion import build_staged_backbone
from xlearner_mm.models.expansion.staged_conv_next import StagedConvNeXt

pytestmark = pytest.mark.compat

V2 = dict(use_grn=True, layer_scale_init_value=0.)


def conv_next(**kwargs):
    cfg = dict(type='mmpretrain.ConvNeXt', arch=dict(depths=[1, 1, 2, 1], channels=[8, 16, 32, 64]),
               out_indices=(0, 1, 2, 3), drop_path_rate=0.3, layer_scale_init_value=0.5, gap_before_final_norm=False)
    return {**cfg, **kwargs}


@pytest.mark.parametrize('size', [(64, 64), (72, 56)])
@pytest.mark.parametrize('training', [True, False])
@pytest.mark.parametrize('options', [{}, V2], ids=['V1', 'V2'])
def test_staged_forward_equals_stock_bit_for_bit(options, training, size):
    assert_equals_stock(conv_next(**options), training, 4, size)


@pytest.mark.parametrize('training', [True, False])
@pytest.mark.parametrize('index', range(4))
def test_built_for_a_single_index(index, training):
    backbone, images = build(conv_next(out_indices=(index, )), training), torch.randn(2, 3, 72, 56)
    torch.manual_seed(1)
    stock, = backbone(images)
    torch.manual_seed(1)
    staged = build_staged_backbone(backbone)
    own, = staged.emit(staged.features(images, index), (index, ), 'maps')
    assert torch.equal(own, stock)


@pytest.mark.parametrize('options', [
    dict(frozen_stages=2),
    dict(with_cp=True),
    dict(linear_pw_conv=False, **V2),
    dict(stem_patch_size=2),
], ids=str)
def test_options_of_the_stock_backbone(options):
    assert_equals_stock(conv_next(**options), training=True, num_stages=4)


@pytest.mark.parametrize('out_indices', [(3, ), [-1], (0, 1, 2, 3)])
@pytest.mark.parametrize('training', [True, False])
def test_vector_is_averaged_and_then_normed_as_in_stock(training, out_indices):
    backbone = build(conv_next(gap_before_final_norm=True, out_indices=out_indices), training)
    staged, images = build_staged_backbone(backbone), torch.randn(2, 3, 72, 56)
    torch.manual_seed(1)
    stock = backbone(images)
    torch.manual_seed(1)
    vectors = staged.emit(staged.features(images), backbone.out_indices, 'vector')
    assert stock[-1].shape == (2, 64)
    assert all(torch.equal(a, b) for a, b in zip(vectors, stock, strict=True))


@pytest.mark.parametrize('gap', [True, False])
def test_the_port_says_what_is_given_whatever_the_option(gap):
    backbone, images = build(conv_next(gap_before_final_norm=gap), training=False), torch.randn(2, 3, 64, 64)
    staged = build_staged_backbone(backbone)
    features = staged.features(images)
    assert staged.outputs == ('maps', 'vector')
    for output, option in (('maps', False), ('vector', True)):
        backbone.gap_before_final_norm = option
        given = staged.emit(features, (0, 3), output)
        assert torch.equal(given[0], backbone(images)[0]) and torch.equal(given[1], backbone(images)[3])


def test_links_add_before_the_downsampling():
    backbone, seen = build(conv_next(), training=False), []
    for i in range(1, 4):
        backbone.downsample_layers[i].register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    features = build_staged_backbone(backbone).features(torch.randn(1, 3, 64, 64), reconcile=lambda i, x: x + 1)
    assert len(seen) == 3 and all(a is b for a, b in zip(seen, features))


def test_shapes_leave_no_trace():
    assert_leaves_no_trace(StagedConvNeXt, conv_next(out_indices=-1), (8, 16, 32, 64), (4, 8, 16, 32))


@pytest.mark.parametrize('output', ['maps', 'vector'])
def test_stages_without_a_norm(output):
    staged = build_staged_backbone(build(conv_next(out_indices=[-1])))
    assert staged.emits() == (3, )
    features = staged.features(torch.randn(1, 3, 64, 64))
    with pytest.raises(ValueError, match=r'ConvNeXt with out_indices=\(3,\) has no output norm for stage 1\. '
                       'Mend out_indices of this backbone so that they name stage 1, or use another stage'):
        staged.emit(features, (1, 3), output)


def test_norm_is_the_stages_own():
    backbone = build(conv_next(), training=False)
    nn.init.constant_(backbone.norm2.bias, 3.)
    staged, x = build_staged_backbone(backbone), torch.randn(2, 32, 4, 4)
    torch.testing.assert_close(staged.output(2, x).mean(1), torch.full((2, 4, 4), 3.))


@pytest.mark.parametrize('options', [{}, V2], ids=['V1', 'V2'])
def test_an_expansion_trains_a_step(options):
    train_a_step(*[conv_next(drop_path_rate=0., **options)] * 3)


@pytest.mark.parametrize('detach', [True, False])
def test_mixed_with_a_resnet(detach):
    learned = train_a_step(conv_next(drop_path_rate=0.), resnet(), conv_next(**V2), detach=detach)
    assert learned == ({'a'} if detach else {'a', 'b', 'c'})
