import pytest
import torch
from mmengine.registry import MODELS

from tiny import resnet
from xlearner_mm.models.expansion import build_staged_backbone

pytestmark = pytest.mark.compat

VARIANTS = [
    resnet('mmdet'),
    resnet('mmseg'),
    resnet('mmpretrain'),
    resnet('mmdet', type='mmdet.ResNetV1d'),
    resnet('mmseg', type='mmseg.ResNetV1c', dilations=(1, 1, 2, 4), strides=(1, 2, 1, 1), contract_dilation=True),
    resnet('mmpretrain', type='mmpretrain.SEResNet', depth=50, se_ratio=4),
    resnet('mmdet', type='mmdet.ResNeXt', depth=50, groups=2, base_width=4),
    resnet('mmdet', type='mmdet.Res2Net', depth=50, scales=2, base_width=26),
]


@pytest.mark.parametrize('cfg', VARIANTS, ids=lambda c: c['type'])
@pytest.mark.parametrize('training', [True, False])
def test_staged_forward_equals_stock_bit_for_bit(cfg, training):
    backbone = MODELS.build({**cfg, 'out_indices': (0, 1, 2, 3)})
    backbone.train(training)
    staged = build_staged_backbone(backbone)
    images = torch.randn(2, 3, 64, 64)
    stock = backbone(images)
    own = staged.features(images)
    assert len(stock) == len(own) == 4
    for a, b in zip(stock, own):
        assert torch.equal(a, b)
