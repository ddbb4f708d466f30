from types import SimpleNamespace

import pytest
from mmengine.model import BaseModel
from mmengine.registry import RUNNERS
from mmengine.runner import FlexibleRunner
from torch import nn

import toy
from ranks import build
from xlearner_mm.engine import MultiSourceDistributed
from xlearner_mm.engine.multi_source_model import multi_source_model

pytestmark = pytest.mark.compat


class Stock(BaseModel):
    def forward(self, inputs, data_samples=None, mode='tensor'):
        return inputs


def test_the_model_is_found_with_and_without_its_wrapper():
    model = build(expanded=False)
    assert multi_source_model(SimpleNamespace(model=model)) is model
    assert multi_source_model(SimpleNamespace(model=MultiSourceDistributed(model))) is model


def test_another_model_or_wrapper_is_refused():
    with pytest.raises(TypeError, match='trains an xlearner_mm.XLearner, got Stock'):
        multi_source_model(SimpleNamespace(model=Stock()))
    with pytest.raises(TypeError, match="DataParallel gives wrong gradients with one backward a source. Set "
                                        r"model_wrapper_cfg=dict\(type='xlearner_mm.MultiSourceDistributed'\)"):
        multi_source_model(SimpleNamespace(model=nn.DataParallel(build(expanded=False))))


def test_a_runner_with_a_strategy_is_refused(toy_data, tmp_path):
    cfg = toy.config(toy_data, tmp_path, runner_type='FlexibleRunner', env_cfg=dict())
    cfg.pop('model_wrapper_cfg')
    runner = RUNNERS.build(cfg)
    assert isinstance(runner, FlexibleRunner)
    with pytest.raises(TypeError, match='FlexibleRunner leaves forward, backward and reduction to a strategy.*'
                                        "Leave runner_type out, and set model_wrapper_cfg="):
        runner.train()
