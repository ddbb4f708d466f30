import pytest

import toy
from xlearner_mm.compose import compose

pytestmark = pytest.mark.compat


def test_a_composed_config_trains_both_phases_and_validates(stock, tmp_path):
    composition = compose(stock, expansion_iters=1, squeeze_iters=1)
    path = tmp_path / 'composed.py'
    path.write_text(composition.text)
    cfg = toy.Config(toy.Config.fromfile(path).to_dict(), format_python_code=False)  # formatting takes yapf seconds
    cfg.merge_from_dict(dict(work_dir=str(tmp_path), experiment_name='composed', visualizer=None,
                             train_dataloader=dict(num_workers=0)))
    runner = toy.train(cfg)
    assert runner.iter == 2 and runner.model.phase == 1
    logged = runner.message_hub.log_scalars
    assert {'val/photos/accuracy/top1', 'val/boxes/coco/bbox_mAP', 'val/maps/mIoU'} <= set(logged)


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
    assert cfg.branches.a.model.type == 'mmdet.RTMDet'
    assert cfg.backbone.sub_backbones.det.type == 'mmdet.CSPNeXt'


def test_modules_of_the_user_are_imported_by_the_composed_config(write, tmp_path, monkeypatch):
    (tmp_path / 'my_losses.py').write_text('')
    monkeypatch.syspath_prepend(str(tmp_path))
    stock = write(boxes=dict(custom_imports=dict(imports=['my_losses', 'mmpretrain.models'])))
    imports = compose(stock).config.custom_imports.imports
    assert imports == ['xlearner_mm.datasets', 'xlearner_mm.models', 'xlearner_mm.engine', 'my_losses']
