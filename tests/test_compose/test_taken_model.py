import pytest
import torch
from mmengine.config import ConfigDict
from mmengine.registry import MODELS

import tiny
import toy
from xlearner_mm.compose import compose
from xlearner_mm.compose.stock_source import read_source
from xlearner_mm.compose.taken_model import take_model
from xlearner_mm.utils import with_scope

pytestmark = pytest.mark.compat


def test_the_stock_parts_are_taken_over_unchanged(stock):
    cfg = compose(stock).config
    source = toy.Config.fromfile(stock['boxes'].partition(':')[2])
    branch, model = cfg.model.branches.boxes.model, source.model
    assert branch.type == f'mmdet.{model.type}'
    assert {k: v for k, v in branch.items() if k not in ('type', 'backbone')} == {
        k: v for k, v in model.items() if k not in ('type', 'backbone')}
    assert branch.backbone == dict(type='xlearner_mm.BackbonePort', out_indices=(0, 1, 2, 3))
    taken = cfg.train_dataloader.dataset.sources.boxes.dataset
    assert taken.pipeline == source.train_dataloader.dataset.pipeline and taken.type == 'mmdet.CocoDataset'
    assert cfg.val_dataloader.boxes.dataset.pipeline == source.val_dataloader.dataset.pipeline
    assert cfg.val_evaluator.boxes[0].type == 'mmdet.CocoMetric'
    assert cfg.model.backbone.sub_backbones.det.base_channels == model.backbone.base_channels


def test_weights_that_an_old_config_gives_to_the_whole_model_go_to_the_sub_backbone(write):
    stock = write(maps=dict(model=dict(pretrained='open-mmlab://resnet18_v1c')))
    cfg = compose(stock).config.model
    assert cfg.backbone.sub_backbones.seg.init_cfg.checkpoint == 'open-mmlab://resnet18_v1c'
    assert 'pretrained' not in cfg.branches.maps.model


def test_a_data_preprocessor_beside_the_model_goes_into_the_branch(write):
    preprocessor = dict(type='ClsDataPreprocessor', mean=[1., 2., 3.], std=[4., 5., 6.])
    stock = write(photos=dict(data_preprocessor=preprocessor))
    path = stock['photos'].partition(':')[2]
    text = toy.Config.fromfile(path)
    text.model.pop('data_preprocessor')
    text.dump(path)
    assert compose(stock).config.model.branches.photos.model.data_preprocessor == preprocessor


def test_a_dilated_segmentor_reads_a_plain_student_dilated(write):
    stock = write(maps=dict(model=dict(backbone=dict(
        strides=(1, 2, 1, 1), dilations=(1, 1, 2, 4), contract_dilation=True))))
    cfg = compose(stock, student='det').config.model
    assert cfg.output_stride == dict(seg=8)
    assert not {'strides', 'dilations', 'contract_dilation'} & set(cfg.backbone.sub_backbones.seg)


VIT = dict(type='VisionTransformer', arch=dict(embed_dims=16, num_layers=2, num_heads=2, feedforward_channels=16),
           img_size=64, patch_size=16)
SEG_VIT = dict(type='mmseg.VisionTransformer', img_size=64, patch_size=16, embed_dims=16, num_layers=2, num_heads=2,
               out_indices=1)
CONVNEXT = dict(type='ConvNeXt', arch=dict(depths=[1, 1, 1, 1], channels=[8, 16, 32, 64]))


@pytest.mark.parametrize(('backbone', 'output'), [
    (VIT, 'vector'),
    (dict(VIT, out_type='featmap'), 'maps'),
    (dict(VIT, out_type='raw'), 'tokens'),
    (CONVNEXT, 'vector'),
    (dict(CONVNEXT, gap_before_final_norm=False), 'maps'),
    (SEG_VIT, 'maps'),
])
def test_the_port_gives_what_the_stock_backbone_gives(backbone, output, write):
    stock = write(photos=dict(model=dict(backbone=dict(_delete_=True, **backbone))))
    taken = take_model(read_source('photos', stock['photos']))
    port = taken.branch['backbone']
    assert port.get('output', 'maps') == output and len(port['out_indices']) == 1
    own = MODELS.build(ConfigDict(with_scope(taken.backbone)))
    own.eval()  # a stock backbone's gives None
    model = MODELS.build(ConfigDict(
        type='xlearner_mm.XLearner', backbone=taken.backbone,
        branches=dict(photos=dict(task='cls', model=tiny.classifier(backbone=port))))).eval()
    model.backbone.load_state_dict(own.state_dict())
    images = torch.rand(2, 3, 64, 64)
    assert torch.equal(model.branches['photos'].backbone(images)[0], own(images)[0])


def test_a_loss_that_changes_at_an_epoch_is_told():
    taken = take_model(read_source('boxes', 'mmdet:tood/tood_r50_fpn_1x_coco.py'))
    assert taken.left_out == [
        'model.train_cfg.initial_epoch: epochs are not counted here, so what it begins with lasts for the whole run']
