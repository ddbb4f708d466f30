import pytest
from mmengine.config import Config

from tiny import resnet
from xlearner_mm.downstream import DownstreamSet, Pixels, fine_tune_config, with_share

pytestmark = pytest.mark.compat

PIXELS = Pixels((1., 2., 3.), (4., 5., 6.))


def make_set(library='mmdet', **downstream):
    return DownstreamSet('mine', Config(dict(
        default_scope=library,
        model=dict(
            type='RetinaNet', backbone=dict(out_indices=(1, 2, 3), frozen_stages=1, norm_eval=True, unknown=1),
            data_preprocessor=dict(type='DetDataPreprocessor', pad_size_divisor=32),
            neck=dict(in_channels=[0]), heads=[dict(in_channels=0)]),
        train_dataloader=dict(dataset=dict(type='CocoDataset', data_root='x')),
        downstream=dict(dict(protocol='fine_tune', metric='mAP'), **downstream))))


def test_the_backbone_goes_in_with_its_own_channels_and_pixels():
    how = make_set(channels={'model.neck.in_channels': [1, 2, 3], 'model.heads.0.in_channels': 3})
    backbone = resnet(init_cfg=dict(type='Pretrained', checkpoint='x.pth'))
    cfg = fine_tune_config(how, backbone, PIXELS, 'full', 7)
    assert cfg.model.neck.in_channels == [16, 32, 64] and cfg.model.heads[0].in_channels == 64
    assert cfg.model.backbone.to_dict() == {
        **backbone, 'out_indices': (1, 2, 3), 'frozen_stages': 1, 'norm_eval': True}
    assert cfg.model.data_preprocessor.to_dict() == dict(
        type='DetDataPreprocessor', pad_size_divisor=32, mean=[1., 2., 3.], std=[4., 5., 6.], bgr_to_rgb=True)
    assert cfg.randomness.seed == 7 and 'custom_hooks' not in cfg
    assert how.cfg.model.neck.in_channels == [0], 'the set itself stays as it is'


def test_a_segmentor_reads_a_resnet_that_is_dilated_and_others_as_they_are():
    cfg = fine_tune_config(make_set(output_stride=8), resnet('mmseg'), PIXELS, 'full', 0)
    assert cfg.model.backbone.strides == (1, 2, 1, 1) and cfg.model.backbone.dilations == (1, 1, 2, 4)
    assert cfg.model.backbone.contract_dilation
    swin = dict(type='mmseg.SwinTransformer', embed_dims=8, depths=(1, 1, 1, 1), num_heads=(1, 1, 1, 1))
    cfg = fine_tune_config(make_set(output_stride=8, channels={'model.neck.in_channels': [0, 1, 2, 3]}), swin, PIXELS,
                           'full', 0)
    assert 'dilations' not in cfg.model.backbone and cfg.model.neck.in_channels == [8, 16, 32, 64]


def test_few_data_freeze_the_backbone_and_take_a_part_of_each_data_set():
    cfg = fine_tune_config(make_set(), resnet(), PIXELS, 'low_data', 3)
    assert cfg.custom_hooks == [dict(type='xlearner_mm.FrozenBackboneHook')]
    assert cfg.train_dataloader.dataset == dict(
        type='xlearner_mm.ShareOfDataset', dataset=dict(type='CocoDataset', data_root='x'), share=0.1, seed=3)
    wrapped = dict(type='RepeatDataset', times=3, dataset=dict(type='ConcatDataset', datasets=[dict(a=1), dict(b=2)]))
    parts = with_share(wrapped, 0.5, 0)['dataset']['datasets']
    assert [p['dataset'] for p in parts] == [dict(a=1), dict(b=2)] and with_share(wrapped, 0.5, 0)['times'] == 3


def test_a_field_that_is_not_there():
    with pytest.raises(ValueError, match='mine: downstream.channels names model.nek.in_channels, which'):
        fine_tune_config(make_set(channels={'model.nek.in_channels': 3}), resnet(), PIXELS, 'full', 0)


@pytest.mark.parametrize('key, change', [
    ('load_from', dict(load_from='x.pth')), ('model.init_cfg', dict(model=dict(init_cfg=dict(type='Pretrained'))))])
def test_weights_of_the_set_would_replace_every_backbone(key, change):
    how = make_set()
    how.cfg.merge_from_dict(change)
    with pytest.raises(ValueError, match=f"'mine' has {key}, whose weights would replace"):
        fine_tune_config(how, resnet(), PIXELS, 'full', 0)
