import pytest
import torch

from staged_checks import assert_equals_stock, assert_leaves_no_trace, build, train_a_step
from tiny import resnet
from xlearner_mm.models.expansion import build_staged_backbone
from xlearner_mm.models.expansion.staged_mix_vision_transformer import StagedMixVisionTransformer

pytestmark = pytest.mark.compat


def mit(**kwargs):
    cfg = dict(type='mmseg.MixVisionTransformer', embed_dims=8, num_layers=[1, 2, 1, 1], num_heads=[1, 2, 2, 4],
               mlp_ratio=2, out_indices=(0, 1, 2, 3), drop_path_rate=0.3)
    return {**cfg, **kwargs}


@pytest.mark.parametrize('size', [(64, 64), (72, 56)])
@pytest.mark.parametrize('training', [True, False])
def test_staged_forward_equals_stock_bit_for_bit(training, size):
    assert_equals_stock(mit(), training, 4, size)


@pytest.mark.parametrize('options', [
    dict(drop_rate=0.2, attn_drop_rate=0.2),
    dict(with_cp=True),
    dict(strides=[4, 2, 2, 1]),
], ids=str)
def test_options_of_the_stock_backbone(options):
    assert_equals_stock(mit(**options), training=True, num_stages=4)


def test_outputs_have_the_memory_layout_of_stock():
    backbone, images = build(mit(), training=False), torch.randn(2, 3, 72, 56)
    staged = build_staged_backbone(backbone)
    assert staged.outputs == ('maps', 'vector')
    assert [f.stride() for f in staged.features(images)] == [f.stride() for f in backbone(images)]


def test_links_add_before_the_next_patch_embedding():
    backbone, seen = build(mit(), training=False), []
    for i in range(1, 4):
        backbone.layers[i][0].register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    features = build_staged_backbone(backbone).features(torch.randn(1, 3, 64, 64), reconcile=lambda i, x: x + 1)
    assert len(seen) == 3 and all(a is b for a, b in zip(seen, features))


def test_shapes_leave_no_trace():
    assert_leaves_no_trace(StagedMixVisionTransformer, mit(), (8, 16, 16, 32), (4, 8, 16, 32))
    assert_leaves_no_trace(StagedMixVisionTransformer, mit(strides=[4, 2, 2, 1]), (8, 16, 16, 32), (4, 8, 16, 16))


def test_gives_every_stage_whatever_its_out_indices():
    backbone, images = build(mit(), training=False), torch.randn(2, 3, 64, 64)
    stock = backbone(images)
    backbone.out_indices = (3, )
    staged = build_staged_backbone(backbone)
    assert staged.emits() == (0, 1, 2, 3)
    maps = staged.emit(staged.features(images), staged.emits(), 'maps')
    assert all(torch.equal(a, b) for a, b in zip(maps, stock, strict=True))


def test_an_expansion_trains_a_step():
    train_a_step(*[mit(drop_path_rate=0.)] * 3)


def test_mixed_with_a_resnet():
    train_a_step(mit(drop_path_rate=0.), resnet())
