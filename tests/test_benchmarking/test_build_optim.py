import pytest
import torch
from mmengine.registry import MODELS

import tiny
from xlearner_mm.benchmarking import build_optim

pytestmark = pytest.mark.compat


def test_a_step_is_done_and_weights_stay():
    model = MODELS.build(tiny.classifier(backbone=tiny.resnet('mmpretrain', out_indices=(3, ))))
    optim = build_optim(model, dict(optimizer=dict(type='AdamW', lr=0.1, weight_decay=0.5)))
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    model.train_step(tiny.batch('photos'), optim)
    assert all(torch.equal(p, before[name]) for name, p in model.named_parameters())
    moments = [state['exp_avg'] for state in optim.optimizer.state.values()]
    assert len(moments) == len(before) and any(m.abs().sum() > 0 for m in moments)


def test_settings_of_an_xlearner_are_left_out_of_a_stock_model():
    cfg = dict(type='OptimWrapper', constructor='xlearner_mm.MultiSourceOptimWrapperConstructor',
               optimizer=dict(type='SGD', lr=0.1, weight_decay=0.5), accumulative_counts=2,
               clip_grad=dict(max_norm=1.0),
               paramwise_cfg=dict(tasks=dict(cls=dict(lr_mult=0.5)), layer_decay=0.9, norm_decay_mult=0.0))
    model = MODELS.build(tiny.classifier(backbone=tiny.resnet('mmpretrain', out_indices=(3, ))))
    with pytest.raises(TypeError, match='is for an xlearner_mm.XLearner'):
        build_optim(model, cfg)
    optim = build_optim(model, cfg, stock=True)
    assert {group['weight_decay'] for group in optim.param_groups} == {0.0, 0.5}
    assert optim._accumulative_counts == 2 and optim.clip_grad_kwargs == dict(max_norm=1.0)
    assert 'tasks' in cfg['paramwise_cfg']  # the config is left as it was
