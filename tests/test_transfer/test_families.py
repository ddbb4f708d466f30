"""Every family to every library: all weights arrive, and features are those of the trained backbone."""

from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import MODELS, DefaultScope

from saved_run import randomise
from xlearner_mm.models.expansion import build_staged_backbone
from xlearner_mm.transfer.families import swin_keys
from xlearner_mm.transfer.file_format import encode
from xlearner_mm.transfer.proof import check_keys, prove
from xlearner_mm.transfer.targets import find_counterpart
from xlearner_mm.utils import with_scope

pytestmark = pytest.mark.compat

STOCK = ('mmdet', 'mmseg', 'mmpretrain')
EXACT, ROUNDED, NONE = 'bit for bit', 'up to rounding', None
SWIN = dict(embed_dims=12, depths=(2, 2, 2, 2), num_heads=(1, 2, 3, 4), window_size=2)
ARCH = dict(embed_dims=12, depths=[2, 2, 2, 2], num_heads=[1, 2, 3, 4])
CONV_NEXT = dict(type='mmpretrain.ConvNeXt', arch=dict(depths=[1, 1, 2, 1], channels=[8, 16, 24, 32]),
                 out_indices=(0, 1, 2, 3))
VIT = dict(type='mmpretrain.VisionTransformer', img_size=32, patch_size=8, arch=dict(
    embed_dims=24, num_layers=3, num_heads=3, feedforward_channels=48))
SEG_VIT = dict(type='mmseg.VisionTransformer', img_size=32, patch_size=8, embed_dims=24, num_layers=3, num_heads=3,
               mlp_ratio=2)
THIN = dict(base_channels=16, stem_channels=32)

# Config, what mmdet, mmseg, mmpretrain, torchvision and timm give.
CASES = {
    'resnet18': (dict(type='mmdet.ResNet', depth=18), EXACT, EXACT, EXACT, EXACT, EXACT),
    'thin': (dict(type='mmpretrain.ResNet', depth=18, base_channels=8), EXACT, EXACT, EXACT, NONE, EXACT),
    'v1c': (dict(THIN, type='mmseg.ResNetV1c', depth=50), EXACT, EXACT, EXACT, NONE, EXACT),
    'v1d': (dict(THIN, type='mmpretrain.ResNetV1d', depth=50), EXACT, EXACT, EXACT, NONE, EXACT),
    'v1d of mmdet': (dict(THIN, type='mmdet.ResNetV1d', depth=18), EXACT, EXACT, EXACT, NONE, EXACT),
    'resnext': (dict(type='mmpretrain.ResNeXt', depth=50, groups=2, width_per_group=8), EXACT, EXACT, EXACT, EXACT,
                EXACT),
    'se': (dict(type='mmpretrain.SEResNet', depth=50, base_channels=16), EXACT, EXACT, EXACT, NONE, EXACT),
    'res2net': (dict(THIN, type='mmpretrain.Res2Net', depth=50), NONE, EXACT, EXACT, NONE, NONE),
    'resnest': (dict(THIN, type='mmseg.ResNeSt', depth=50), EXACT, EXACT, EXACT, NONE, NONE),
    'swin of mmdet': (dict(SWIN, type='mmdet.SwinTransformer'), EXACT, EXACT, EXACT, ROUNDED, ROUNDED),
    'swin of mmseg': (dict(SWIN, type='mmseg.SwinTransformer', mlp_ratio=2, qkv_bias=False), EXACT, EXACT, EXACT, NONE,
                      ROUNDED),
    'swin of mmpretrain': (dict(type='mmpretrain.SwinTransformer', arch=ARCH, window_size=2, img_size=64), EXACT, EXACT,
                           EXACT, ROUNDED, ROUNDED),
    'swin that pads': (dict(type='mmpretrain.SwinTransformer', arch=ARCH, window_size=2, pad_small_map=True,
                            out_indices=(1, 3)), EXACT, EXACT, EXACT, ROUNDED, ROUNDED),
    'swin with positions': (dict(SWIN, type='mmseg.SwinTransformer', pretrain_img_size=64, use_abs_pos_embed=True),
                            NONE, NONE, EXACT, NONE, NONE),
    'convnext': (CONV_NEXT, EXACT, EXACT, EXACT, ROUNDED, ROUNDED),
    'convnext v2': (dict(CONV_NEXT, use_grn=True, layer_scale_init_value=0.), EXACT, EXACT, EXACT, NONE, ROUNDED),
    'convnext without scale': (dict(CONV_NEXT, layer_scale_init_value=0., linear_pw_conv=False), EXACT, EXACT, EXACT,
                               ROUNDED, ROUNDED),
    'vit': (VIT, EXACT, ROUNDED, EXACT, True, True),
    'vit with scale': (dict(VIT, layer_scale_init_value=0.1, out_type='featmap', out_indices=[0, 2]), EXACT, NONE,
                       EXACT, NONE, True),
    'vit of means': (dict(VIT, out_type='avg_featmap', final_norm=False), EXACT, ROUNDED, EXACT, NONE, True),
    'vit without class token': (dict(VIT, out_type='featmap', with_cls_token=False, pre_norm=True), EXACT, ROUNDED,
                                EXACT, NONE, True),
    'vit of mmseg': (dict(SEG_VIT, final_norm=True), ROUNDED, EXACT, ROUNDED, ROUNDED, ROUNDED),
    'vit of mmseg without class token': (dict(SEG_VIT, with_cls_token=False, pre_norm=True, out_indices=(0, 2)),
                                         ROUNDED, EXACT, ROUNDED, NONE, ROUNDED),
    'family without converters': (dict(type='mmseg.MixVisionTransformer', embed_dims=8, num_layers=[1] * 4,
                                       num_heads=[1] * 4), NONE, EXACT, NONE, NONE, NONE),
}


def trained(cfg):
    return build_staged_backbone(randomise(MODELS.build(with_scope(cfg))))


def write(counterpart, path, form='pth'):
    path.write_bytes(encode(counterpart.file_state(form), {}, form))
    return path


@pytest.mark.parametrize('name', CASES)
def test_weights_and_features_arrive(name, tmp_path):
    cfg, *expected = CASES[name]
    staged = trained(cfg)
    for target, agreement in zip((*STOCK, 'torchvision', 'timm'), expected):
        staged.backbone.float()
        if agreement is NONE:
            with pytest.raises(ValueError, match=f'{target} '):
                proved(staged, cfg, target, tmp_path)
        else:
            found = proved(staged, cfg, target, tmp_path)
            assert agreement is True or agreement in found, (target, found)  # True: it depends on torch


def proved(staged, cfg, target, folder):
    counterpart = find_counterpart(target, staged.backbone, cfg)
    check_keys(counterpart, staged.backbone, 'it')
    return prove(counterpart, write(counterpart, folder / f'{target}.pth'), 'pth', staged)


@pytest.mark.parametrize('form', ['pth', 'safetensors'])
@pytest.mark.parametrize('name', ['resnext', 'swin of mmdet', 'convnext', 'vit of mmseg'])
@pytest.mark.parametrize('target', ['mmdet', 'mmseg', 'mmpretrain', 'torchvision', 'timm'])
def test_the_printed_lines_load_the_file(target, name, form, tmp_path):
    cfg = CASES[name][0]
    counterpart = find_counterpart(target, trained(cfg).backbone, cfg)
    path = write(counterpart, tmp_path / f'x.{form}', form)
    lines = counterpart.usage(path, form)
    if target not in STOCK:
        found = {}
        exec('\n'.join(lines), found)
        network = found['model']
    else:
        network = pasted(target, '\n'.join(line for line in lines if not line.startswith('model.')))
        if form == 'safetensors':
            from safetensors.torch import load_file
            assert lines[-1] == f'model.backbone.load_state_dict(safetensors.torch.load_file({str(path)!r}))'
            network.load_state_dict(load_file(path))
    loaded = network.state_dict()
    assert loaded.keys() == counterpart.state.keys()
    assert all(torch.equal(value, counterpart.state[key]) for key, value in loaded.items())


def pasted(library, lines):
    """Build a backbone as a config of its library does."""
    cfg = Config.fromstring(lines, '.py')
    with DefaultScope.overwrite_default_scope(library):
        network = MODELS.build(cfg.backbone)
    network.init_weights()
    return network


@pytest.mark.parametrize('cfg, target, call', [
    (dict(type='mmdet.ResNet', depth=50), 'torchvision', 'torchvision.models.resnet50()'),
    (dict(type='mmdet.ResNet', depth=50), 'timm', "timm.create_model('resnet50', num_classes=0)"),
    (dict(type='mmseg.ResNetV1c', depth=50), 'timm', "timm.create_model('resnet50c', num_classes=0)"),
    (dict(type='mmpretrain.ResNeXt', depth=50), 'torchvision', 'torchvision.models.resnext50_32x4d()'),
    (dict(type='mmpretrain.SEResNet', depth=50), 'timm', "timm.create_model('seresnet50', num_classes=0)"),
    (dict(type='mmpretrain.Res2Net', depth=50), 'timm', "timm.create_model('res2net50d', num_classes=0)"),
    (dict(type='mmdet.SwinTransformer'), 'torchvision', 'torchvision.models.swin_t()'),
    (dict(type='mmpretrain.SwinTransformer'), 'timm', "timm.create_model('swin_tiny_patch4_window7_224', num_classes=0)"
     ),
    (dict(type='mmpretrain.ConvNeXt'), 'torchvision', 'torchvision.models.convnext_tiny()'),
    (dict(type='mmpretrain.ConvNeXt'), 'timm', "timm.create_model('convnext_tiny', num_classes=0)"),
    (dict(type='mmpretrain.VisionTransformer', arch='deit-tiny', img_size=160), 'timm',
     "timm.create_model('vit_tiny_patch16_224', num_classes=0, img_size=160)"),
    (dict(type='mmpretrain.VisionTransformer', arch='base'), 'torchvision', 'torchvision.models.vit_b_16()'),
], ids=str)
def test_usual_sizes_have_names(cfg, target, call):
    network = MODELS.build(with_scope(cfg))
    counterpart = find_counterpart(target, network, cfg)
    assert repr(counterpart.call) == call
    check_keys(counterpart, network, 'it')


def test_swin_of_mmdet_reads_only_what_is_below_backbone(tmp_path):
    cfg = CASES['swin of mmdet'][0]
    counterpart = find_counterpart('mmdet', trained(cfg).backbone, cfg)
    assert all(key.startswith('backbone.') for key in counterpart.file_state('pth'))
    assert "prefix='backbone.'" in counterpart.usage(tmp_path, 'pth')[-1]
    assert 'convert_weights=False' in counterpart.usage(tmp_path, 'pth')[-1]
    counterpart.prefix = ''
    with pytest.raises(IndexError):  # it finds nothing, and does not expect that
        counterpart.load(write(counterpart, tmp_path / 'x.pth'), 'pth')
    state = {'backbone.norm0.weight': torch.ones(12)}
    (tmp_path / 'x.pth').write_bytes(encode(state, {}, 'pth'))
    with pytest.raises(ValueError, match=r'mmdet leaves \d+ weights of its SwinTransformer as they were'):
        prove(counterpart, tmp_path / 'x.pth', 'pth', trained(cfg))


def test_a_wrong_order_of_merged_patches_is_found(tmp_path, monkeypatch):
    monkeypatch.setattr(swin_keys, 'patch_major', lambda value: value)
    cfg = CASES['swin of mmdet'][0]
    with pytest.raises(ValueError, match='loads the weights but gives other features at stage 1, stage 2, stage 3'):
        proved(trained(cfg), cfg, 'torchvision', tmp_path)


def test_patch_major():
    # Two channels; the positions of a channel are row by row in OpenMMLab, and column by column in the paper's code.
    own = torch.tensor([[0, 1, 10, 11, 100, 101, 110, 111]])
    assert swin_keys.patch_major(own).tolist() == [[0, 100, 10, 110, 1, 101, 11, 111]]


@pytest.mark.parametrize('name, target, note', [
    ('swin of mmdet', 'torchvision', 'images up to 64 pixels, torchvision does not shift windows and the trained'),
    ('swin of mmdet', 'timm', 'multiples of 64 pixels'),
    ('swin of mmpretrain', 'mmdet', 'images up to 64 pixels, mmdet shifts windows and the trained backbone does not'),
    ('swin of mmpretrain', 'timm', 'timm takes images of 64×64 pixels only'),
    ('convnext', 'timm', 'norm0, norm1, norm2 of the trained backbone are left out'),
    ('vit of means', 'mmseg', 'ln2 of the trained backbone, the norm of the mean, is left out'),
])
def test_what_a_user_must_know_is_noted(name, target, note):
    cfg = CASES[name][0]
    assert note in ' '.join(find_counterpart(target, trained(cfg).backbone, cfg).notes)


def test_a_swin_that_shifts_otherwise_differs_where_its_note_says(tmp_path):
    cfg = CASES['swin of mmdet'][0]
    counterpart, staged = find_counterpart('torchvision', trained(cfg).backbone, cfg), trained(cfg)
    counterpart.sizes = (64, )
    with pytest.raises(ValueError, match='gives other features at stage 3'):
        prove(counterpart, write(counterpart, Path(tmp_path, 'x.pth')), 'pth', staged)
