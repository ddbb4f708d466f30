import pytest

import toy
from xlearner_mm.compose import compose
from xlearner_mm.compose.joined_model import from_scratch

pytestmark = pytest.mark.compat


def test_weights_are_kept_or_left_out_with_what_they_freeze(write):
    pretrained = dict(model=dict(backbone=dict(frozen_stages=1, norm_eval=True, init_cfg=dict(
        type='Pretrained', checkpoint='torchvision://resnet18'))))
    stock = write(boxes=pretrained)
    kept = compose(stock)
    assert kept.config.model.backbone.sub_backbones.det.init_cfg.checkpoint == 'torchvision://resnet18'
    assert 'starts from torchvision://resnet18' in kept.taken['boxes'][1]
    assert 'starts from x.pth' in compose(write(boxes=dict(model=dict(backbone=dict(init_cfg=dict(
        checkpoint='x.pth')))))).taken['boxes'][1]  # as the PVTs of mmdet have it
    scratch = compose(write(boxes=pretrained), scratch=True)
    backbone = scratch.config.model.backbone.sub_backbones.det
    assert 'init_cfg' not in backbone and 'frozen_stages' not in backbone and backbone.norm_eval is False
    student = compose(stock, student='det').config.model.squeeze.student
    assert 'init_cfg' not in student and student.norm_eval is False


SWIN = dict(type='SwinTransformer', embed_dims=8, depths=(1, 1, 1, 1), num_heads=(1, 1, 1, 1), window_size=2)


def test_a_student_that_cannot_give_a_fixed_output_stride_is_refused(write):
    stock = write(
        boxes=dict(model=dict(backbone=dict(_delete_=True, **SWIN))),
        maps=dict(model=dict(backbone=dict(strides=(1, 2, 1, 1), dilations=(1, 1, 2, 4), contract_dilation=True))))
    with pytest.raises(ValueError, match="mmdet.SwinTransformer cannot give the output stride 8 that 'maps' of task"):
        compose(stock, student='det')


def test_a_student_names_every_stage_that_is_read(write):
    stock = write(photos=dict(model=dict(backbone=dict(
        _delete_=True, **{**SWIN, 'type': 'mmdet.SwinTransformer', 'out_indices': (3, )}))),
                        boxes=dict(model=dict(backbone=dict(_delete_=True, **SWIN))))
    stock.pop('maps')
    cfg = compose(stock, student='cls').config.model
    assert cfg.squeeze.student.out_indices == (0, 1, 2, 3)
    assert cfg.branches.photos.model.backbone.out_indices == (3, )


def test_several_sources_of_a_task_share_a_sub_backbone(write):
    stock = write()
    stock['more'] = stock['boxes']
    cfg = compose(stock).config.model
    assert set(cfg.backbone.sub_backbones) == {'cls', 'det', 'seg'} and cfg.branches.more.task == 'det'
    apart = compose(stock, tasks=dict(more='extra')).config.model
    assert set(apart.backbone.sub_backbones) == {'cls', 'det', 'seg', 'extra'}


def test_sources_of_a_task_with_different_backbones_are_refused(write, tmp_path):
    stock = write()
    other = toy.Config.fromfile(stock['boxes'].partition(':')[2])
    other.model.backbone.depth = 34
    other.dump(tmp_path / 'other.py')
    stock['other'] = f'mmdet:{tmp_path / "other.py"}'
    with pytest.raises(ValueError, match="Sources 'boxes' and 'other' of task 'det' have different backbones: "
                                         'depth=18 and 34. Give one of them a task of its own'):
        compose(stock)


@pytest.mark.parametrize('backbone', [
    dict(type='mmdet.ResNet', depth=18), dict(type='mmdet.ResNeXt', depth=50, groups=2, base_width=4, base_channels=8),
    dict(type='mmdet.RegNet', arch='regnetx_400mf')], ids=lambda cfg: cfg['type'])
def test_bn_trains_from_scratch_where_the_stock_default_freezes_it(backbone):
    assert from_scratch(backbone)['norm_eval'] is False
    assert 'norm_eval' not in from_scratch(dict(type='mmpretrain.ResNet', depth=18))
