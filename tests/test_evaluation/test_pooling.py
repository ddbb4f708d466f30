import pytest
import torch
from mmengine.registry import MODELS
from torch import nn

from tiny import resnet
from xlearner_mm.evaluation.pooling import pool
from xlearner_mm.setup_env import register_all_modules
from xlearner_mm.utils import with_scope

pytestmark = pytest.mark.compat
VIT = dict(type='mmpretrain.VisionTransformer', img_size=32, patch_size=16, arch=dict(
    embed_dims=12, num_layers=2, num_heads=2, feedforward_channels=24))
X = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))


@torch.no_grad()
def run(**cfg):
    register_all_modules()
    torch.manual_seed(0)
    backbone = MODELS.build(with_scope(cfg))
    backbone.eval()
    return backbone, backbone(X)


def test_the_last_map_is_averaged():
    backbone, maps = run(**resnet())
    assert torch.allclose(pool(maps, backbone), maps[-1].mean((2, 3)))
    assert torch.equal(pool(maps[-1], backbone), pool(maps, backbone))


def test_the_class_token_of_a_plain_transformer():
    backbone, (vector, ) = run(**VIT)
    assert torch.equal(pool((vector, ), backbone), vector)
    raw, (tokens, ) = run(**VIT, out_type='raw')
    assert tokens.ndim == 3 and torch.equal(pool((tokens, ), raw), vector)
    averaged, (mean, ) = run(**VIT, out_type='avg_featmap')
    assert torch.equal(pool((mean, ), averaged), mean)


def test_tokens_without_a_class_are_averaged():
    backbone, (tokens, ) = run(**VIT, out_type='raw', with_cls_token=False)
    assert torch.allclose(pool((tokens, ), backbone), tokens.mean(1))


def test_a_class_token_beside_a_map_and_two_class_tokens():
    backbone, outputs = run(type='mmseg.VisionTransformer', img_size=32, patch_size=16, embed_dims=12, num_layers=2,
                            num_heads=2, out_indices=(0, 1), output_cls_token=True)
    assert torch.equal(pool(outputs, backbone), outputs[-1][1])
    backbone, _ = run(**dict(VIT, type='mmpretrain.DistilledVisionTransformer'))
    with torch.no_grad():
        backbone.pos_embed.normal_()  # both tokens begin as zeros
        pair, = backbone(X)
    assert not torch.allclose(pair[0], pair[1]) and torch.allclose(pool((pair, ), backbone), (pair[0] + pair[1]) / 2)


@pytest.mark.parametrize('output, told', [(dict(a=1), 'a dict'), (torch.ones(3), r'a tensor \(3,\)'), ((), 'a tuple')])
def test_other_outputs_are_refused(output, told):
    with pytest.raises(TypeError, match=f'Linear gives {told}, of which no vector can be made'):
        pool(output, nn.Linear(1, 1))
