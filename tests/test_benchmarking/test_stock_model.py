import copy

import pytest
import torch
from mmengine.config import Config, ConfigDict
from mmengine.registry import MODELS

import tiny
from xlearner_mm.benchmarking import stock_model
from xlearner_mm.models import Phase
from xlearner_mm.models.branch import ports_of

pytestmark = pytest.mark.compat


def build(settings):
    cfg = Config(dict(model=settings), format_python_code=False)
    return cfg, MODELS.build(copy.deepcopy(cfg.model))


@pytest.mark.parametrize('source', ['photos', 'boxes', 'maps'])
def test_its_step_has_the_losses_of_the_joint_one(source):
    cfg, model = build(tiny.xlearner(squeeze=False, expanded=False))
    stock = stock_model(cfg, model, source)
    assert type(stock) is type(model.branches[source]) and ports_of(stock) == []
    assert {p.shape for p in stock.backbone.parameters()} == {p.shape for p in model.backbone.parameters()}
    stock.backbone.load_state_dict(model.backbone.state_dict())
    stock.load_state_dict(model.branches[source].state_dict(), strict=False)
    losses = []
    for side, data in ((model, tiny.batches(source)), (stock, tiny.batch(source))):
        side.train()
        torch.manual_seed(0)
        processed = side.data_preprocessor(data, True)
        losses.append(side.parse_losses(side(**processed, mode='loss'))[0])
    assert torch.equal(*losses) and losses[0].grad_fn is not None


def test_the_backbone_is_that_of_the_task_and_of_the_phase():
    sub_backbones = dict(cls=tiny.resnet('mmpretrain'), det=tiny.resnet(stem_channels=4), seg=tiny.resnet('mmseg'))
    settings = tiny.xlearner(squeeze=dict(student=tiny.resnet(stem_channels=16)))
    settings.backbone.sub_backbones = ConfigDict(sub_backbones)
    cfg, model = build(settings)
    assert stock_model(cfg, model, 'boxes').backbone.conv1.out_channels == 4
    cls = stock_model(cfg, model, 'photos').backbone
    assert type(cls).__module__.startswith('mmpretrain.') and cls.out_indices == (3, )
    model.set_phase(Phase.SQUEEZE)
    assert stock_model(cfg, model, 'boxes').backbone.conv1.out_channels == 16


def test_an_output_stride_becomes_dilation():
    cfg, model = build(tiny.xlearner(squeeze=False, expanded=False, output_stride=dict(seg=8)))
    stock, x = stock_model(cfg, model, 'maps').eval(), torch.randn(1, 3, 64, 64)
    assert [m.shape[-1] for m in stock.backbone(x)] == [16, 8, 8, 8]
    assert [m.shape[-1] for m in stock_model(cfg, model, 'boxes').backbone(x)] == [16, 8, 4, 2]
    model.eval()
    stock.backbone.load_state_dict(model.backbone.state_dict())
    assert all(torch.equal(a, b) for a, b in zip(stock.backbone(x), ports_of(model.branches['maps'])[0](x)))


def test_what_no_stock_backbone_returns_is_refused():
    settings = tiny.xlearner(squeeze=False, expanded=False)
    settings.branches.photos.model.backbone.output = 'vector'
    settings.branches.photos.model.neck = None
    cfg, model = build(settings)
    told = r"source 'photos' has output='vector', .*mmdet.ResNet returns 'maps'.*--no-stock"
    with pytest.raises(ValueError, match=told):
        stock_model(cfg, model, 'photos')
