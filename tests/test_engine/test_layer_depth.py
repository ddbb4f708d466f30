"""Depths by name, written down and not asked of the package."""

import re

import pytest
import torch
from mmengine.config import ConfigDict
from mmengine.registry import MODELS
from torch import nn

import tiny
from xlearner_mm.engine.layer_depth import layer_depths, layer_scales
from xlearner_mm.models.expansion import StagedBackbone, StagedSwin, build_staged_backbone
from xlearner_mm.setup_env import register_all_modules

pytestmark = pytest.mark.compat

INDICES = (0, 1, 2, 3)
VIT = dict(type='mmpretrain.VisionTransformer', img_size=64, out_indices=list(INDICES), out_type='featmap', arch=dict(
    embed_dims=16, num_layers=4, num_heads=2, feedforward_channels=32))
SEG_VIT = dict(type='mmseg.VisionTransformer', img_size=(64, 64), embed_dims=16, num_layers=4, num_heads=2,
               mlp_ratio=2, out_indices=INDICES)
SWIN = dict(type='mmdet.SwinTransformer', embed_dims=8, depths=(1, 2, 1, 1), num_heads=(1, 2, 2, 4), window_size=3,
            mlp_ratio=2, out_indices=INDICES)
CLS_SWIN = dict(type='mmpretrain.SwinTransformer', img_size=64, window_size=3, pad_small_map=True, out_indices=INDICES,
                arch=dict(embed_dims=8, depths=[1, 2, 1, 1], num_heads=[1, 2, 2, 4]))
CONVNEXT = dict(type='mmpretrain.ConvNeXt', arch=dict(depths=[1, 1, 4, 1], channels=[8, 16, 32, 64]),
                out_indices=INDICES, gap_before_final_norm=False)
MIT = dict(type='mmseg.MixVisionTransformer', embed_dims=8, num_layers=[1] * 4, num_heads=(1, 2, 2, 4), mlp_ratio=2,
           out_indices=INDICES)


def hr_net(library):
    extra = dict(stage1=dict(num_modules=1, num_branches=1, block='BOTTLENECK', num_blocks=(1, ), num_channels=(4, )))
    for n in (2, 3, 4):
        extra[f'stage{n}'] = dict(num_modules=1, num_branches=n, block='BASIC', num_blocks=(1, ) * n,
                                  num_channels=(4, 8, 16, 32)[:n])
    return dict(type=f'{library}.HRNet', extra=extra)


def staged(cfg):
    register_all_modules()
    return build_staged_backbone(MODELS.build(ConfigDict(cfg)))


RESNET = {r'conv1|bn1': 0, 'layer1': 1, 'layer2': 2, 'layer3': 3, 'layer4': 4}
TOKENS = {'cls_token|pos_embed|patch_embed': 0, r'layers\.0': 1, r'layers\.1': 2, r'layers\.2': 3, r'layers\.3': 4}
HRNET = {'conv|bn': 0, 'layer1': 1, 'transition1|stage2': 2, 'transition2|stage3': 3, 'transition3|stage4': 4}
# Depth by the beginning of the names, depths of the ends of the stages, number of depths.
FAMILIES = {
    'det.ResNet': (tiny.resnet(), RESNET, [1, 2, 3, 4], 6),
    'cls.ResNet-18': (tiny.resnet('mmpretrain'), RESNET, [1, 2, 3, 4], 6),  # its get_layer_depth knows no such depth
    'cls.ResNet-50': (
        tiny.resnet('mmpretrain', depth=50),
        {r'conv1|bn1': 0, 'layer1': 1, r'layer2\.[01]': 2, r'layer2\.[23]': 3, r'layer3\.[0-2]': 4, r'layer3\.[3-5]': 5,
         'layer4': 6}, [1, 3, 5, 6], 8),
    'ViT': (VIT, {**TOKENS, 'ln1': 5}, [1, 2, 3, 4], 6),
    'ViT with a norm in its stem': (dict(VIT, pre_norm=True), {**TOKENS, 'pre_norm': 0, 'ln1': 5}, [1, 2, 3, 4], 6),
    'DeiT with two tokens': (dict(VIT, type='mmpretrain.DistilledVisionTransformer'),
                             {**TOKENS, 'dist_token': 0, 'ln1': 5}, [1, 2, 3, 4], 6),
    'BEiT with a shared bias': (dict(VIT, type='mmpretrain.BEiTViT', use_rel_pos_bias=False,
                                     use_shared_rel_pos_bias=True), {**TOKENS, 'rel_pos_bias': 5}, [1, 2, 3, 4], 6),
    'seg.ViT': (SEG_VIT, TOKENS, [1, 2, 3, 4], 6),
    'seg.BEiT': (dict(SEG_VIT, type='mmseg.BEiT'), TOKENS, [1, 2, 3, 4], 6),
    'det.Swin': (SWIN, {'patch_embed': 0, r'stages\.0\.blocks': 1, r'stages\.0\.down|stages\.1\.blocks': 2,
                        r'stages\.1\.down|stages\.2\.blocks': 3, r'stages\.2\.down|stages\.3\.blocks': 4, 'norm': 5},
                 [1, 2, 3, 4], 6),
    'cls.Swin': (CLS_SWIN, {'patch_embed': 0, r'stages\.0': 1, r'stages\.1\.blocks\.0': 2,
                            r'stages\.1\.(blocks\.1|down)': 3, r'stages\.2': 4, r'stages\.3': 5, 'norm': 6},
                 [1, 3, 4, 5], 7),
    'Swin with positions': (dict(SWIN, use_abs_pos_embed=True, pretrain_img_size=224),
                            {'absolute_pos_embed|patch_embed': 0, r'stages\.0\.blocks': 1,
                             r'stages\.0\.down|stages\.1\.blocks': 2, r'stages\.1\.down|stages\.2\.blocks': 3,
                             r'stages\.2\.down|stages\.3\.blocks': 4, 'norm': 5}, [1, 2, 3, 4], 6),
    'ConvNeXt': (CONVNEXT, {r'downsample_layers\.0': 0, r'stages\.0': 1, r'(stages|downsample_layers)\.1': 2,
                            r'downsample_layers\.2|stages\.2\.[0-2]': 3, r'stages\.2\.3': 4,
                            r'(stages|downsample_layers)\.3': 6, 'norm': 7}, [1, 2, 4, 6], 8),
    'MiT': (MIT, {r'layers\.0': 1, r'layers\.1': 2, r'layers\.2': 3, r'layers\.3': 4}, [1, 2, 3, 4], 6),
    'det.HRNet': (hr_net('mmdet'), HRNET, [4] * 4, 6),
    'cls.HRNet': (hr_net('mmpretrain'), HRNET, [4] * 4, 6),
}


@pytest.mark.parametrize('name', FAMILIES)
def test_depth_of_every_parameter(name):
    cfg, expected, ends, total = FAMILIES[name]
    depths = layer_depths(staged(cfg))
    assert (depths.stages, depths.total) == (ends, total)
    for parameter, depth in depths.params.items():
        own = [of for pattern, of in expected.items() if re.match(pattern, parameter)]
        assert own == [depth], parameter
    assert set(depths.params.values()) == set(expected.values())


def test_nothing_of_a_backbone_is_changed():
    adapter = staged(tiny.resnet())
    adapter.backbone.train()
    adapter.backbone.layer1.eval()
    before = {key: value.clone() for key, value in adapter.backbone.state_dict().items()}
    modes, state = [m.training for m in adapter.backbone.modules()], torch.get_rng_state()
    layer_depths(adapter)
    assert all(torch.equal(value, before[key]) for key, value in adapter.backbone.state_dict().items())
    assert [m.training for m in adapter.backbone.modules()] == modes
    assert torch.equal(torch.get_rng_state(), state)
    assert not any(m._forward_pre_hooks for m in adapter.backbone.modules())


def build(**kwargs):
    register_all_modules()
    return MODELS.build(tiny.xlearner(**kwargs))


def test_scales_of_an_expansion_and_its_student():
    """Backbones of different depths: each has its own."""
    cfg = tiny.xlearner(squeeze=dict(student=tiny.resnet(), branches=dict(photos=tiny.classifier())))
    cfg.backbone.sub_backbones.cls = ConfigDict(tiny.resnet('mmpretrain', depth=50))
    cfg.branches.photos.model.head.in_channels = 256
    register_all_modules()
    model = MODELS.build(cfg)
    scales = layer_scales(model, 0.5)
    assert scales['backbone.sub_backbones.det.conv1.weight'] == scales['squeeze.student.bn1.bias'] == 0.5 ** 5
    assert scales['backbone.sub_backbones.cls.conv1.weight'] == 0.5 ** 7
    assert scales['squeeze.student.layer4.1.conv1.weight'] == 0.5
    link = 'backbone.reconciliation.links.{}.{}.{}.projection.conv.weight'
    assert [scales[link.format('det', 'cls', name)] for name in ('0_to_0', '0_to_1', '1_to_1', '0_to_2')] == [
        0.5 ** 4, 0.5 ** 3, 0.5 ** 3, 0.5 ** 2]
    assert [scales[link.format('cls', 'det', name)] for name in ('0_to_0', '0_to_1', '2_to_2')] == [
        0.5 ** 6, 0.5 ** 4, 0.5 ** 2]
    assert set(scales) == {name for name, _ in model.named_parameters() if name.startswith(
        ('backbone.', 'squeeze.student.'))}


def test_links_of_a_vision_transformer_feed_layers():
    cfg = tiny.xlearner(squeeze=False)
    vit = dict(VIT, arch=dict(VIT['arch'], num_layers=8), out_indices=[1, 3, 5, 7])
    cfg.backbone.sub_backbones = ConfigDict(det=tiny.resnet(), cls=tiny.resnet('mmpretrain'), seg=vit)
    cfg.branches.maps.model.decode_head.update(in_channels=16)
    cfg.branches.maps.model.backbone.out_indices = (1, 3, 5, 7)
    register_all_modules()
    scales = layer_scales(MODELS.build(cfg), 0.5)
    link = 'backbone.reconciliation.links.seg.det.{}.projection.conv.weight'
    assert [scales[link.format(name)] for name in ('0_to_0', '0_to_1', '1_to_2')] == [0.5 ** 7, 0.5 ** 5, 0.5 ** 3]


def test_scales_of_a_shared_backbone():
    scales = layer_scales(build(expanded=False, squeeze=False), 0.5)
    assert scales['backbone.conv1.weight'] == 0.5 ** 5 and scales['backbone.layer3.0.bn1.weight'] == 0.5 ** 2
    assert all(name.startswith('backbone.') for name in scales)


def test_a_model_without_a_backbone():
    with pytest.raises(ValueError, match='layer_decay: Linear has no backbone. Take layer_decay out'):
        layer_scales(nn.Linear(1, 1), 0.5)


def test_an_adapter_that_runs_no_stages():
    class Whole(StagedBackbone):
        num_stages = 1

    with pytest.raises(ValueError, match=r'Whole does not run a torch.Conv2d stage by stage. Define stem'):
        layer_depths(Whole(nn.Conv2d(3, 4, 1)))


def test_a_backbone_that_wants_another_size():
    backbone = MODELS.build(ConfigDict(dict(SWIN, use_abs_pos_embed=True, pretrain_img_size=72)))
    with pytest.raises(ValueError, match='SwinTransformer runs on none of the images .* 128×128: .* 512×512: '):
        layer_depths(StagedSwin(backbone))
