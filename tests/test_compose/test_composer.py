import pytest
from mmengine.registry import MODELS

import toy
from stock_files import write_stock
from xlearner_mm.compose import compose

pytestmark = pytest.mark.compat


@pytest.fixture
def write(toy_data, tmp_path):
    return lambda **changes: write_stock(toy_data, tmp_path, **changes)


@pytest.fixture
def stock(write):
    return write()


def test_a_composed_config_trains_both_phases_and_validates(stock, tmp_path):
    composition = compose(stock, expansion_iters=1, squeeze_iters=1)
    path = tmp_path / 'composed.py'
    path.write_text(composition.text)
    cfg = toy.Config(toy.Config.fromfile(path).to_dict(), format_python_code=False)  # formatting takes yapf seconds
    cfg.merge_from_dict(dict(work_dir=str(tmp_path), experiment_name='composed', visualizer=None,
                             train_dataloader=dict(num_workers=0, persistent_workers=False)))
    runner = toy.train(cfg)
    assert runner.iter == 2 and runner.model.phase == 1
    logged = runner.message_hub.log_scalars
    assert {'val/photos/accuracy/top1', 'val/boxes/coco/bbox_mAP', 'val/maps/mIoU'} <= set(logged)


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


def test_the_report_names_what_was_left_out(stock):
    composition = compose(stock)
    assert 'custom_hooks: EMAHook' in composition.left_out['boxes']
    assert 'optim_wrapper: SGD' in composition.left_out['boxes']
    assert 'validation: mmdet.CocoMetric' in composition.taken['boxes'][-1]
    assert composition.report.startswith('photos:\n  + task cls, mmpretrain ')


def test_the_schedule_is_the_users(stock):
    cfg = compose(stock, expansion_iters=300, squeeze_iters=200, lr=0.01).config
    assert (cfg.train_cfg.max_iters, cfg.custom_hooks[0].expansion_iters) == (500, 300)
    assert cfg.optim_wrapper.optimizer.lr == 0.01
    assert [s.end for s in cfg.param_scheduler] == [20, 300]
    assert [s.end for s in cfg.custom_hooks[0].squeeze.param_scheduler] == [20, 200]


def test_weights_are_kept_or_left_out_with_what_they_freeze(write):
    pretrained = dict(model=dict(backbone=dict(frozen_stages=1, norm_eval=True, init_cfg=dict(
        type='Pretrained', checkpoint='torchvision://resnet18'))))
    stock = write(boxes=pretrained)
    kept = compose(stock)
    assert kept.config.model.backbone.sub_backbones.det.init_cfg.checkpoint == 'torchvision://resnet18'
    assert 'starts from torchvision://resnet18' in kept.taken['boxes'][1]
    scratch = compose(stock, scratch=True)
    backbone = scratch.config.model.backbone.sub_backbones.det
    assert 'init_cfg' not in backbone and 'frozen_stages' not in backbone and backbone.norm_eval is False
    student = compose(stock, student='det').config.model.squeeze.student
    assert 'init_cfg' not in student and student.norm_eval is False


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


@pytest.mark.parametrize(('options', 'message'), [
    (dict(student='depth'), "student='depth' must be one of the tasks cls, det, seg, or <library>:<config>"),
    (dict(tasks=dict(nobody='x')), "Tasks are given for \\['nobody'\\], which are no sources"),
    (dict(squeeze_iters=0), 'squeeze_iters=0 must be positive'),
])
def test_wrong_options(stock, options, message):
    with pytest.raises(ValueError, match=message):
        compose(stock, **options)


def test_new_style_configs_are_taken():
    cfg = compose(dict(a='mmdet:rtmdet/rtmdet_tiny_8xb32-300e_coco.py')).config.model
    assert cfg.branches.a.model.type == 'mmdet.RTMDet' and MODELS.get('mmdet.CSPNeXt') is not None
    assert cfg.backbone.sub_backbones.det.type == 'mmdet.CSPNeXt'


def test_modules_of_the_user_are_imported_by_the_composed_config(write, tmp_path, monkeypatch):
    (tmp_path / 'my_losses.py').write_text('')
    monkeypatch.syspath_prepend(str(tmp_path))
    stock = write(boxes=dict(custom_imports=dict(imports=['my_losses', 'mmpretrain.models'])))
    imports = compose(stock).config.custom_imports.imports
    assert imports == ['xlearner_mm.datasets', 'xlearner_mm.models', 'xlearner_mm.engine', 'my_losses']
