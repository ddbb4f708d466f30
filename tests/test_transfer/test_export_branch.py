"""Whole stock models: what they predict is what the branch does."""

import mmdet.apis
import mmpretrain
import mmseg.apis
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import MODELS
from PIL import Image

import toy
from saved_run import save_run
from tiny import CHANNELS, classifier, detector, port, resnet, segmentor, two_stage_detector, xlearner
from toy import clear_mmengine
from xlearner_mm.models import Phase
from xlearner_mm.models.expansion import build_staged_backbone
from xlearner_mm.transfer import export_branch
from xlearner_mm.transfer.branch_backbone import dilated
from xlearner_mm.utils import with_scope

pytestmark = pytest.mark.compat

SOURCES = dict(photos='mmpretrain', boxes='mmdet', maps='mmseg')
UNLINKED = dict(type='xlearner_mm.ExpandedBackbone', reconciliation=dict(wiring='none'),
                sub_backbones=dict(cls=resnet(), det=resnet(), seg=resnet()))
SWIN = dict(type='mmdet.SwinTransformer', embed_dims=8, depths=(1, 1, 1, 1), num_heads=(1, 1, 1, 1), window_size=2)
CONV_NEXT = dict(type='mmpretrain.ConvNeXt', arch=dict(depths=[1] * 4, channels=list(CHANNELS)),
                 out_indices=(0, 1, 2, 3), gap_before_final_norm=False)
VIT = dict(type='mmpretrain.VisionTransformer', img_size=32, patch_size=8, arch=dict(
    embed_dims=64, num_layers=4, num_heads=2, feedforward_channels=64))


def export(tmp_path, source, **kwargs):
    out = export_branch(tmp_path / 'run.pth', tmp_path / f'{source}.pth', source, **kwargs)
    return out, Config.fromfile(tmp_path / f'{source}.py')


@pytest.mark.parametrize('source, library', SOURCES.items())
@pytest.mark.parametrize('phase, options, prefix', [
    (Phase.SQUEEZE, dict(squeeze=dict(student=resnet())), 'branches.'),
    (Phase.SQUEEZE, dict(squeeze=dict(student=resnet('mmpretrain'), heads='fresh')), 'squeeze.branches.'),
    (Phase.EXPANSION, dict(squeeze=False, expanded=False), 'branches.'),
    (Phase.EXPANSION, dict(squeeze=False, backbone=UNLINKED), 'branches.'),
], ids=['squeeze', 'fresh', 'hard sharing', 'no links'])
def test_the_stock_model_of_a_source(phase, options, prefix, source, library, tmp_path):
    trained = save_run(tmp_path / 'run.pth', phase, **options).state_dict()
    done, cfg = export(tmp_path, source)
    assert done.target == library and 'the predictions of the branch, all ' in done.agreement
    assert ' all 0 values' not in done.agreement
    saved = torch.load(done.path, weights_only=True)
    prefix = f'{prefix}{source}.'
    head = {key[len(prefix):]: value for key, value in trained.items() if key.startswith(prefix)}
    assert head and all(torch.equal(saved['state_dict'][key], value) for key, value in head.items())
    assert saved['meta']['cfg'] == (tmp_path / f'{source}.py').read_text()
    assert cfg.default_scope == library and cfg.model.backbone.type == 'ResNet' and 'custom_imports' not in cfg
    assert '.' not in cfg.model.type


def test_the_libraries_own_tools_read_config_and_file(toy_data, tmp_path):
    toy.train(toy.config(toy_data, tmp_path, 1, 2))
    for source in SOURCES:
        export_branch(tmp_path / 'iter_2.pth', tmp_path / f'{source}.pth', source)
    image = str(tmp_path / 'x.png')
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)).save(image)

    def files(source):
        clear_mmengine()
        return str(tmp_path / f'{source}.py'), str(tmp_path / f'{source}.pth')

    found = mmpretrain.ImageClassificationInferencer(*files('photos'))(image)
    assert found[0]['pred_class'] in ('class0', 'class1', 'class2')
    inferencer = mmdet.apis.DetInferencer(*files('boxes'), device='cpu', show_progress=False)
    scores = inferencer(image)['predictions'][0]['scores']
    assert len(scores) == 5 and list(inferencer.model.dataset_meta['classes']) == ['a', 'b']
    config, weights = files('boxes')
    alone = mmdet.apis.DetInferencer(weights=weights, device='cpu', show_progress=False)  # by the config in the file
    assert alone(image)['predictions'][0]['scores'] == scores
    inferencer = mmseg.apis.MMSegInferencer(*files('maps'), device='cpu')
    assert inferencer(image)['predictions'].shape == (64, 64)
    assert list(inferencer.model.dataset_meta['classes']) == ['w', 'x', 'y', 'z']


def test_the_config_tests_the_model_on_the_validation_data_of_the_run(toy_data, tmp_path):
    from mmengine.runner import Runner
    settings = toy.config(toy_data, tmp_path).to_dict()
    model = settings.pop('model')
    save_run(tmp_path / 'run.pth', settings=settings, **{k: v for k, v in model.items() if k != 'type'})
    _, cfg = export(tmp_path, 'photos')
    cfg.work_dir, cfg.load_from = str(tmp_path / 'work'), str(tmp_path / 'photos.pth')
    clear_mmengine()
    assert 'accuracy/top1' in Runner.from_cfg(cfg).test()


@pytest.mark.parametrize('student, kinds', [
    (SWIN, dict(photos='SwinTransformer', boxes='SwinTransformer', maps='SwinTransformer')),
    (CONV_NEXT, dict(photos='ConvNeXt', boxes='mmpretrain.ConvNeXt', maps='mmpretrain.ConvNeXt')),
    (VIT, dict(photos='VisionTransformer', maps='mmpretrain.VisionTransformer')),
], ids=['swin', 'convnext', 'vit'])
def test_backbones_of_other_libraries(student, kinds, tmp_path):
    last = 3
    vector = student is not SWIN
    maps = segmentor(backbone=port(out_indices=(last, )))
    maps['decode_head'].update(in_index=0)
    models = dict(photos=classifier(backbone=port(out_indices=(last, ), output='vector' if vector else 'maps')),
                  boxes=detector(), maps=maps)
    if vector:
        models['photos']['neck'] = None
    tasks = dict(photos='cls', boxes='det', maps='seg')
    save_run(tmp_path / 'run.pth', Phase.EXPANSION, squeeze=False, backbone=student,
             branches={source: dict(task=tasks[source], model=models[source]) for source in kinds})
    for source, kind in kinds.items():
        _, cfg = export(tmp_path, source)
        assert cfg.model.backbone.type == kind
        foreign = kind.startswith('mmpretrain.')
        assert cfg.get('custom_imports', {}).get('imports') == (['mmpretrain.models'] if foreign else None)
    if student is CONV_NEXT:
        state = torch.load(tmp_path / 'photos.pth', weights_only=True)['state_dict']
        assert {key.split('.')[1] for key in state if '.norm' in key[:14]} == {'norm3'}  # the port reads no other
        assert Config.fromfile(tmp_path / 'photos.py').model.backbone.gap_before_final_norm


@pytest.mark.parametrize('depth', [18, 50])
@pytest.mark.parametrize('stride, strides, dilations', [
    (8, (1, 2, 1, 1), (1, 1, 2, 4)),
    (16, (1, 2, 2, 1), (1, 1, 1, 2)),
])
def test_an_output_stride_becomes_dilations(stride, strides, dilations, depth, tmp_path):
    channels = 64 * (4 if depth == 50 else 1)
    maps = dict(task='seg', model=segmentor(channels=channels))
    boxes = dict(task='det', model=detector(channels=[c * channels // 64 for c in CHANNELS]))
    save_run(tmp_path / 'run.pth', Phase.EXPANSION, squeeze=False, backbone=resnet(depth=depth),
             branches=dict(maps=maps, boxes=boxes), output_stride=dict(seg=stride))
    _, cfg = export(tmp_path, 'maps')
    assert (cfg.model.backbone.strides, cfg.model.backbone.dilations) == (strides, dilations)
    assert cfg.model.backbone.contract_dilation and cfg.model.backbone.type == 'ResNet'
    assert 'strides' not in export(tmp_path, 'boxes')[1].model.backbone


def test_an_output_stride_is_written_with_the_class_of_mmseg_elsewhere(tmp_path):
    save_run(tmp_path / 'run.pth', Phase.EXPANSION, squeeze=False, expanded=False,
             branches=dict(photos=dict(task='cls', model=classifier())), output_stride=dict(cls=16))
    _, cfg = export(tmp_path, 'photos')
    assert cfg.model.backbone.type == 'mmseg.ResNet' and cfg.custom_imports.imports == ['mmseg.models']


def test_dilations_are_those_that_the_trained_backbone_runs_with():
    shapes = build_staged_backbone(MODELS.build(with_scope(resnet()))).shapes()
    assert dilated(shapes, 32) == dict(strides=(1, 2, 2, 2), dilations=(1, 1, 1, 1), contract_dilation=True)
    assert dilated(shapes, 4) == dict(strides=(1, 1, 1, 1), dilations=(1, 2, 4, 8), contract_dilation=True)


def test_shared_parts_are_written_for_each_branch(tmp_path):
    boxes = {name: dict(task='det', model=two_stage_detector(number)) for name, number in (('boxes', 2), ('more', 3))}
    model = save_run(tmp_path / 'run.pth', squeeze=dict(student=resnet(), heads='fresh'), branches=dict(
        xlearner().branches, **boxes), shared=dict(det=['neck', 'roi_head.bbox_head.shared_fcs']))
    assert 'squeeze.branches.more.neck.fpn_convs.0.conv.weight' not in model.state_dict()
    done, _ = export(tmp_path, 'more')
    state = torch.load(done.path, weights_only=True)['state_dict']
    own = model.squeeze.branches['boxes'].state_dict()
    for key in ('neck.fpn_convs.0.conv.weight', 'roi_head.bbox_head.shared_fcs.0.weight'):
        assert torch.equal(state[key], own[key])
    assert state['roi_head.bbox_head.fc_cls.weight'].shape[0] == 4


def refused(tmp_path, match, source='boxes', phase=Phase.EXPANSION, target=None, out='out.pth', **model):
    save_run(tmp_path / 'run.pth', phase, **model)
    with pytest.raises(ValueError, match=match):
        export_branch(tmp_path / 'run.pth', tmp_path / out, source, target)
    assert [p.name for p in tmp_path.iterdir()] == ['run.pth']


def test_what_no_stock_model_computes_is_refused_with_the_reason(tmp_path):
    refused(tmp_path, "'boxes' runs through the sub-backbone of task 'det', into which links bring features of cls, "
            'seg: no stock model computes this', squeeze=False)
    photos = classifier(backbone=port(out_indices=(3, ), output='vector'))
    refused(tmp_path, "port of source 'photos' has output='vector', which no ResNet returns", 'photos', squeeze=False,
            expanded=False, branches=dict(photos=dict(task='cls', model=dict(photos, neck=None))))
    refused(tmp_path, "has no source 'depth'; it has boxes, maps, photos", 'depth')
    refused(tmp_path, "source 'boxes' is a mmdet.FCOS: export it to mmdet, not to mmseg", target='mmseg')
    refused(tmp_path, r'out\.py is to hold weights', out='out.py')
    refused(tmp_path, 'holds "{{", which mmengine would replace', squeeze=False, expanded=False,
            branches=dict(boxes=dict(task='det', model=dict(detector(), test_cfg=dict(detector()['test_cfg'],
                                                                                      note='{{ fileDirname }}')))))


def test_where_nothing_is_predicted_raw_outputs_are_compared(tmp_path):
    boxes = two_stage_detector()
    boxes['test_cfg']['rcnn']['score_thr'] = 1.0
    save_run(tmp_path / 'run.pth', Phase.EXPANSION, squeeze=False, expanded=False,
             branches=dict(boxes=dict(task='det', model=boxes)))
    assert 'the raw outputs of the branch, all ' in export(tmp_path, 'boxes')[0].agreement


def test_other_predictions_are_found(tmp_path, monkeypatch):
    save_run(tmp_path / 'run.pth', squeeze=dict(student=resnet()))
    from mmdet.models.dense_heads import FCOSHead
    predict = FCOSHead.predict
    scale = iter((1., 1.01))

    def other(self, x, *args, **kwargs):
        return predict(self, tuple(level * factor for factor in [next(scale)] for level in x), *args, **kwargs)

    monkeypatch.setattr(FCOSHead, 'predict', other)
    with pytest.raises(ValueError, match='FCOS predicts otherwise than the branch of .boxes.: .*scores.*features of '
                                         'the backbone are equal. Nothing was written'):
        export_branch(tmp_path / 'run.pth', tmp_path / 'out.pth', 'boxes')
    assert [p.name for p in tmp_path.iterdir()] == ['run.pth']
