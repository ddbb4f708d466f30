import sys

import pytest
from mmengine.registry import MODELS

from tiny import resnet
from xlearner_mm.transfer.targets import find_counterpart
from xlearner_mm.utils import with_scope

pytestmark = pytest.mark.compat

SWIN = dict(embed_dims=12, depths=(1, 1), num_heads=(1, 2), strides=(4, 2), window_size=2)
VIT = dict(type='mmpretrain.VisionTransformer', img_size=32, patch_size=8, arch=dict(
    embed_dims=24, num_layers=1, num_heads=3, feedforward_channels=48))


def find(target, cfg):
    return find_counterpart(target, MODELS.build(with_scope(cfg)), cfg)


@pytest.mark.parametrize('library', ['mmdet', 'mmseg', 'mmpretrain'])
def test_the_counterpart_has_the_trained_options_without_those_of_the_training(library):
    start = dict(type='Pretrained', checkpoint='x')
    cfg = resnet('mmdet', frozen_stages=1, init_cfg=start, norm_cfg=dict(type='SyncBN'))
    assert find(library, cfg).cfg == dict(
        type='ResNet', depth=18, base_channels=8, stem_channels=8, norm_cfg=dict(type='SyncBN'))


@pytest.mark.parametrize('cfg, target, reason, others', [
    (dict(resnet('mmpretrain', depth=50), type='mmpretrain.SEResNet'), 'torchvision', 'torchvision has none',
     'mmdet, mmseg, mmpretrain, timm'),
    (dict(resnet('mmdet', depth=50), type='mmdet.Res2Net'), 'mmseg', 'it has no Res2Net', 'mmdet, mmpretrain, timm'),
    (dict(SWIN, type='mmdet.SwinTransformer', out_indices=(0, )), 'timm', r'its last stage has no output norm \(out_i',
     'mmdet, mmseg, mmpretrain, torchvision'),
    (dict(SWIN, type='mmdet.SwinTransformer', out_indices=(1, ), use_abs_pos_embed=True), 'mmdet',
     'fails on a file with absolute positions', 'mmseg, mmpretrain, torchvision, timm'),
    (dict(type='mmpretrain.ConvNeXt', arch='atto', use_grn=True), 'torchvision', 'ConvNeXt V1 only, without use_grn',
     'mmdet, mmseg, mmpretrain, timm'),
    (dict(VIT, layer_scale_init_value=0.1), 'mmseg', "no layer scale.*type='mmpretrain.VisionTransformer'",
     'mmdet, mmpretrain, torchvision, timm'),
    (dict(VIT, pre_norm=True, final_norm=False), 'torchvision', 'no norm before the layers, a norm after the layers',
     'mmdet, mmseg, mmpretrain, timm'),
    (dict(VIT, out_type='avg_featmap'), 'timm', 'it norms all tokens and then their mean',
     'mmdet, mmseg, mmpretrain, torchvision'),
    (dict(VIT, img_size=(32, 64)), 'timm', r'its img_size=\(32, 64\) is no square',
     'mmdet, mmseg, mmpretrain, torchvision'),
], ids=str)
def test_what_has_no_counterpart_is_refused_by_name_reason_and_other_targets(cfg, target, reason, others):
    with pytest.raises(ValueError, match=f'{target} has no counterpart of this {cfg["type"]}: .*{reason}.*Targets that '
                                         rf'may have one: {others}\.'):
        find(target, cfg)


def test_unknown_targets_and_libraries():
    with pytest.raises(ValueError, match="'keras' must be one of mmdet, mmseg, mmpretrain, torchvision, timm"):
        find('keras', resnet())
    network = MODELS.build(with_scope(resnet()))
    network.__class__ = type('MyNet', (type(network), ), dict(__module__='my_project.nets'))
    with pytest.raises(ValueError, match='my_project.MyNet is of no library that is exported'):
        find_counterpart('mmdet', network, resnet())


def test_an_optional_library_that_is_missing_is_named_with_the_mend(monkeypatch):
    monkeypatch.setitem(sys.modules, 'timm', None)
    with pytest.raises(ImportError, match='This export needs timm, which is not installed: pip install timm'):
        find('timm', dict(type='mmdet.ResNet', depth=18))
    with pytest.raises(ImportError, match='pip install timm'):
        find('timm', resnet()).build()
