from pathlib import Path

import pytest
import torch
from mmengine.registry import MODELS
from torch import nn

from tiny import CHANNELS, resnet
from xlearner_mm.models.expansion import StageShape, build_staged_backbone, plain_pass
from xlearner_mm.registry import STAGED_BACKBONES

pytestmark = pytest.mark.compat


class OwnForward(MODELS.get('mmdet.ResNet')):

    def forward(self, x):
        return super().forward(x)


def test_shapes_without_touching_any_state():
    backbone = MODELS.build(resnet())
    backbone.train()
    before = {k: v.clone() for k, v in backbone.state_dict().items()}
    assert build_staged_backbone(backbone).shapes() == [StageShape(c, 4 * 2**i) for i, c in enumerate(CHANNELS)]
    assert all(torch.equal(v, before[k]) for k, v in backbone.state_dict().items())
    assert all(m.training for m in backbone.modules())


def test_plain_pass_restores_each_flag():
    net = nn.Sequential(nn.BatchNorm2d(2), nn.BatchNorm2d(2)).train()
    net[1].eval()
    with plain_pass(net):
        assert not any(m.training for m in net.modules())
    assert net[0].training and not net[1].training


def test_features_stop_at_last_and_pass_through_reconcile():
    staged = build_staged_backbone(MODELS.build(resnet()))
    seen = []

    def reconcile(index, x):
        seen.append(index)
        return x + index

    features = staged.features(torch.randn(1, 3, 64, 64), last=1, reconcile=reconcile)
    assert seen == [0, 1] and [f.shape[1] for f in features] == [8, 16]


def test_emit_vector_is_the_mean_over_positions():
    staged = build_staged_backbone(MODELS.build(resnet()))
    features = [torch.randn(2, c, 4, 4) for c in CHANNELS]
    vectors = staged.emit(features, (1, 3), 'vector')
    assert [v.shape for v in vectors] == [(2, 16), (2, 64)]
    torch.testing.assert_close(vectors[1], features[3].mean((2, 3)))
    assert staged.emit(features, (0, ), 'maps')[0] is features[0]


def test_unsupported_backbones_are_refused_by_name():
    with pytest.raises(ValueError, match='AlexNet.*Supported: .*mmdet:ResNet'):
        build_staged_backbone(MODELS.build(dict(type='mmpretrain.AlexNet')))
    trident = dict(type='mmdet.TridentResNet', depth=50, num_stages=3, strides=(1, 2, 2), dilations=(1, 1, 1),
                   out_indices=(2, ), num_branch=3, test_branch_idx=1, trident_dilations=(1, 2, 3))
    with pytest.raises(ValueError, match='TridentResNet is no backbone for several tasks.*Use a ResNet'):
        build_staged_backbone(MODELS.build(trident))
    with pytest.raises(ValueError, match='OwnForward'):
        build_staged_backbone(OwnForward(18))


class MyNet(nn.Module):
    """A backbone of a user's project."""

    __module__ = 'my_project.nets'

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 4, 4, stride=4)
        self.stages = nn.ModuleList([nn.Conv2d(4, 4, 1), nn.Conv2d(4, 8, 2, stride=2), nn.Conv2d(8, 8, 2, stride=2)])

    def forward(self, x):
        x, outputs = self.stem(x), []
        for stage in self.stages:
            x = stage(x)
            outputs.append(x)
        return tuple(outputs)


def test_a_new_family_as_the_readme_shows_it(monkeypatch):
    monkeypatch.setitem(STAGED_BACKBONES.module_dict, 'my_project:MyNet', None)
    del STAGED_BACKBONES.module_dict['my_project:MyNet']
    readme = (Path(__file__).resolve().parents[3] / 'README.md').read_text()
    code = next(block for block in readme.split('```python\n') if 'StagedMyNet' in block).split('```')[0]
    exec(code, {})
    net, x = MyNet(), torch.randn(1, 3, 32, 32)
    staged = build_staged_backbone(net)
    assert type(staged).__name__ == 'StagedMyNet'
    assert [tuple(shape) for shape in staged.shapes()] == [(4, 4), (8, 8), (8, 16)]
    for one, other in zip(staged.emit(staged.features(x), (0, 1, 2), 'maps'), net(x)):
        assert torch.equal(one, other)
