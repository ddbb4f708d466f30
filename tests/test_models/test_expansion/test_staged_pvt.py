import pytest
import torch
from torch import nn

from staged_checks import assert_equals_stock, assert_leaves_no_trace, build, train_a_step
from tiny import resnet
from xlearner_mm.models.expansion import build_staged_backbone
from xlearner_mm.models.expansion.staged_pvt import StagedPVT

pytestmark = pytest.mark.compat


def pvt(version='V2', **kwargs):
    cfg = dict(type=f'mmdet.PyramidVisionTransformer{version}', embed_dims=8, num_layers=[1, 2, 1, 1],
               num_heads=[1, 2, 2, 4], mlp_ratios=(2, 2, 2, 2), out_indices=(0, 1, 2, 3), drop_path_rate=0.3)
    return {**cfg, **kwargs}


VERSIONS = pytest.mark.parametrize('version', ['', 'V2'])


@VERSIONS
@pytest.mark.parametrize('size', [(64, 64), (72, 56)])
@pytest.mark.parametrize('training', [True, False])
def test_staged_forward_equals_stock_bit_for_bit(version, training, size):
    assert_equals_stock(pvt(version), training, 4, size)


@VERSIONS
def test_dropout_as_in_stock(version):
    assert_equals_stock(pvt(version, drop_rate=0.2, attn_drop_rate=0.2), training=True, num_stages=4)


@pytest.mark.parametrize('options', [dict(pretrain_img_size=64), dict(norm_after_stage=True)], ids=str)
def test_positions_and_norms_of_v1(options):
    backbone, images = build(pvt('', **options)), torch.randn(2, 3, 72, 56)
    for i in range(4):
        nn.init.normal_(backbone.layers[i][1][0].pos_embed)  # starts at 0, which would tell nothing
    torch.manual_seed(1)
    stock = backbone(images)
    torch.manual_seed(1)
    for a, b in zip(build_staged_backbone(backbone).features(images), stock, strict=True):
        assert torch.equal(a, b)


@VERSIONS
def test_outputs_have_the_memory_layout_of_stock(version):
    backbone, images = build(pvt(version), training=False), torch.randn(2, 3, 64, 64)
    staged = build_staged_backbone(backbone)
    assert staged.outputs == ('maps', 'vector') and staged.emits() == (0, 1, 2, 3)
    assert [f.stride() for f in staged.features(images)] == [f.stride() for f in backbone(images)]


@VERSIONS
def test_shapes_leave_no_trace(version):
    assert_leaves_no_trace(StagedPVT, pvt(version), (8, 16, 16, 32), (4, 8, 16, 32))


@VERSIONS
def test_an_expansion_trains_a_step(version):
    train_a_step(*[pvt(version, drop_path_rate=0.)] * 3)


@VERSIONS
def test_mixed_with_a_resnet(version):
    train_a_step(pvt(version, drop_path_rate=0.), resnet())
