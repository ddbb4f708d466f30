"""Vision transformers of both libraries: every adapter with tokens is held to the same."""

from functools import partial

import pytest
import torch
from mmengine.config import ConfigDict
from mmengine.registry import MODELS

from staged_checks import assert_equals_stock, assert_leaves_no_trace, assert_trains_a_step, build
from tiny import resnet
from xlearner_mm.models.expansion import StagedVisionTransformer, build_staged_backbone
from xlearner_mm.models.expansion.staged_beit_vit import StagedBEiTViT
from xlearner_mm.models.expansion.staged_deit3 import StagedDeiT3
from xlearner_mm.models.expansion.staged_distilled_vision_transformer import StagedDistilledVisionTransformer
from xlearner_mm.models.expansion.staged_eva02 import StagedEVA02
from xlearner_mm.models.expansion.staged_seg_beit import StagedSegBEiT
from xlearner_mm.models.expansion.staged_seg_vision_transformer import StagedSegVisionTransformer

pytestmark = pytest.mark.compat

LAYERS = 4
assert_equals_stock = partial(assert_equals_stock, tolerance=1e-5)
ARCH = dict(embed_dims=16, num_layers=LAYERS, num_heads=2, feedforward_channels=32)
SEG = dict(img_size=(64, 64), embed_dims=16, num_layers=LAYERS, num_heads=2, mlp_ratio=2, out_indices=(0, 1, 2, 3))


def vit(kind='VisionTransformer', **kwargs):
    return dict(type=f'mmpretrain.{kind}', arch=ARCH, img_size=64, out_indices=[0, 1, 2, 3],
                **{'out_type': 'featmap', 'drop_path_rate': 0.2, **kwargs})


def seg(kind='VisionTransformer', **kwargs):
    return dict(type=f'mmseg.{kind}', **SEG, **{'drop_path_rate': 0.2, **kwargs})


FAMILIES = {
    'VisionTransformer': (vit(), StagedVisionTransformer),
    'DistilledVisionTransformer': (vit('DistilledVisionTransformer'), StagedDistilledVisionTransformer),
    'DeiT3': (vit('DeiT3'), StagedDeiT3),
    'BEiTViT': (vit('BEiTViT'), StagedBEiTViT),
    'ViTEVA02': (vit('ViTEVA02', sub_ln=True), StagedEVA02),
    'seg.VisionTransformer': (seg(), StagedSegVisionTransformer),
    'seg.BEiT': (seg('BEiT'), StagedSegBEiT),
    'seg.MAE': (seg('MAE'), StagedSegBEiT),
}


@pytest.mark.parametrize('name', FAMILIES)
@pytest.mark.parametrize('training', [True, False])
def test_staged_forward_equals_stock_bit_for_bit(name, training):
    assert_equals_stock(FAMILIES[name][0], training, LAYERS)


@pytest.mark.parametrize('name, options', [
    ('VisionTransformer', dict(with_cls_token=False)), ('VisionTransformer', dict(final_norm=False)),
    ('VisionTransformer', dict(pre_norm=True, frozen_stages=2)), ('VisionTransformer', dict(drop_rate=0.3)),
    ('DistilledVisionTransformer', dict(pre_norm=True)), ('DeiT3', dict(with_cls_token=False)),
    ('BEiTViT', dict(use_rel_pos_bias=False, use_abs_pos_emb=True)), ('BEiTViT', dict(with_cls_token=True)),
    ('BEiTViT', dict(use_rel_pos_bias=False, use_shared_rel_pos_bias=True, final_norm=True)),
    ('seg.VisionTransformer', dict(with_cls_token=False)), ('seg.VisionTransformer', dict(output_cls_token=True)),
    ('seg.VisionTransformer', dict(final_norm=True, pre_norm=True)), ('seg.VisionTransformer', dict(with_cp=True)),
    ('seg.VisionTransformer', dict(drop_rate=0.3, norm_eval=True)), ('seg.BEiT', dict(final_norm=True)),
], ids=str)
def test_options_of_the_stock_backbone(name, options):
    assert_equals_stock({**FAMILIES[name][0], **options}, training=True, num_stages=LAYERS)


@pytest.mark.parametrize('name', ['VisionTransformer', 'DistilledVisionTransformer', 'DeiT3', 'ViTEVA02',
                                  'seg.VisionTransformer'])
def test_images_of_another_size(name):
    assert_equals_stock(FAMILIES[name][0], training=True, num_stages=LAYERS, size=(48, 80))


@pytest.mark.parametrize('name', ['VisionTransformer', 'DistilledVisionTransformer', 'DeiT3', 'BEiTViT', 'ViTEVA02'])
@pytest.mark.parametrize('out_type, output', [('cls_token', 'vector'), ('avg_featmap', 'vector'), ('raw', 'tokens')])
def test_what_a_stock_classifier_gets(name, out_type, output):
    if (name, out_type) != ('DeiT3', 'avg_featmap'):  # stock fails there: it has no norm for it
        assert_equals_stock({**FAMILIES[name][0], 'out_type': out_type}, True, LAYERS, output=output)


@pytest.mark.parametrize('name', FAMILIES)
def test_a_port_decides_what_it_gets(name):
    backbone = build(FAMILIES[name][0], training=False)
    staged, images = build_staged_backbone(backbone), torch.randn(2, 3, 64, 64)
    tokens, = staged.emit(staged.features(images), (3, ), 'tokens')
    vector, = staged.emit(staged.features(images), (3, ), 'vector')
    maps, = staged.emit(staged.features(images), (3, ), 'maps')
    assert torch.equal(vector[0] if isinstance(vector, tuple) else vector, tokens[:, 0])
    assert torch.equal(maps, tokens[:, -16:].transpose(1, 2).reshape(2, 16, 4, 4))


@pytest.mark.parametrize('cfg', [vit(with_cls_token=False), seg(with_cls_token=False)], ids=['mmpretrain', 'mmseg'])
def test_no_vector_without_a_class_token(cfg):
    assert build_staged_backbone(build(cfg)).outputs == ('maps', 'tokens')


@pytest.mark.parametrize('name', FAMILIES)
def test_links_change_patches_and_no_class_token(name):
    backbone = build(FAMILIES[name][0], training=False)
    staged, images = build_staged_backbone(backbone), torch.randn(1, 3, 64, 64)
    plain = staged.features(images)
    linked = staged.features(images, reconcile=lambda level, x: x + 1 if level == 1 else x)
    assert linked[0].tokens.equal(plain[0].tokens)
    extra = staged.extra_tokens
    assert extra > 0 and linked[1].tokens[:, :extra].equal(plain[1].tokens[:, :extra])
    assert linked[1].tokens[:, extra:].equal(plain[1].tokens[:, extra:] + 1)
    assert not linked[2].tokens[:, :extra].equal(plain[2].tokens[:, :extra])


@pytest.mark.parametrize('depth, levels', [(12, (2, 5, 8, 11)), (24, (5, 11, 17, 23)), (4, (0, 1, 2, 3)),
                                           (2, (0, 1)), (1, (0, ))])
def test_levels_are_the_ends_of_quarters(depth, levels):
    cfg = vit()
    cfg.update(arch=dict(ARCH, num_layers=depth), out_indices=[depth - 1])
    assert build_staged_backbone(build(cfg)).levels == levels


@pytest.mark.parametrize('name', FAMILIES)
def test_shapes_leave_no_trace(name):
    cfg, adapter = FAMILIES[name]
    assert_leaves_no_trace(adapter, cfg, (16, ) * LAYERS, (16, ) * LAYERS)


@pytest.mark.parametrize('name', FAMILIES)
def test_an_expansion_trains_a_step(name):
    assert_trains_a_step(*[FAMILIES[name][0]] * 3)


def test_mixed_with_others():
    model = assert_trains_a_step(vit(), seg(), resnet())
    links = model.reconciliation.links
    assert len(links['a']['c']['2_to_2'].downsamples) == 0 and len(links['a']['c']['0_to_1'].downsamples) == 2
    assert len(links['c']['a']['0_to_2'].downsamples) == 0


@pytest.mark.parametrize('cfg, kind', [(vit('BEiTViT'), 'BEiTViT'), (seg('BEiT'), 'BEiT'), (seg('MAE'), 'MAE')],
                         ids=['mmpretrain', 'mmseg', 'MAE'])
def test_positions_that_are_not_resized(cfg, kind):
    with pytest.raises(ValueError, match=f'{kind} has positions for 4x4 patches and does not resize them, but an image '
                                         'gave 6x4. Resize or crop images to its img_size'):
        build_staged_backbone(build(cfg)).features(torch.randn(1, 3, 96, 64))


def test_an_output_before_the_first_layer_is_refused():
    with pytest.raises(ValueError, match='out_origin=True returns one output more.*Set out_origin=False'):
        build_staged_backbone(build(seg(out_origin=True)))


@pytest.mark.parametrize('kind', ['MAEViT', 'BEiTPretrainViT'])
def test_self_supervised_ones_are_refused(kind):
    backbone = MODELS.build(ConfigDict(type=f'mmpretrain.{kind}', arch=dict(ARCH), img_size=64, out_indices=[3]))
    with pytest.raises(ValueError, match=f'Backbone {kind} .*is not supported. Supported: .*mmpretrain:VisionTransfor'):
        build_staged_backbone(backbone)
