import pytest
import torch
from mmengine.registry import MODELS
from torchvision.models import resnet18

from xlearner_mm.downstream import parse_backbones
from xlearner_mm.utils import with_scope

pytestmark = pytest.mark.compat


def build(cfg):
    network = MODELS.build(with_scope(cfg))
    network.init_weights()
    network.eval()
    return network


def test_a_network_of_torchvision_is_the_same_when_probed_and_when_fine_tuned(weights, tmp_path):
    (backbone, scratch) = parse_backbones([f'tv=torchvision:resnet18@{weights}', 'none=scratch:tv'])
    assert backbone.pixels.mean == (123.675, 116.28, 103.53) and backbone.pixels.rgb
    network, images = resnet18().eval(), torch.randn(2, 3, 64, 64)
    network.load_state_dict(torch.load(weights, weights_only=True))
    network.fc = torch.nn.Identity()
    with torch.no_grad():
        assert torch.equal(build(backbone.probe_config(tmp_path))(images)[0], network(images))
        for library in ('mmdet', 'mmseg', 'mmpretrain'):
            stock = build(backbone.stock_config(library, tmp_path))
            torch.testing.assert_close(stock(images)[-1].mean((2, 3)), network(images))
        assert not torch.equal(build(scratch.probe_config(tmp_path))(images)[0], network(images))
    assert 'init_cfg' not in scratch.stock_config('mmdet', tmp_path)
    assert scratch.digest != backbone.digest and scratch.pixels == backbone.pixels


@pytest.mark.parametrize('name', ['swin_t', 'convnext_tiny', 'mobilenet_v3_small'])
def test_any_model_of_torchvision_can_be_probed_but_not_fine_tuned(name, tmp_path):
    (backbone, ) = parse_backbones([f'tv=torchvision:{name}'])
    vector = build(backbone.probe_config(tmp_path))(torch.randn(1, 3, 224, 224))[0]
    assert vector.shape == (1, dict(mobilenet_v3_small=1024).get(name, 768))
    with pytest.raises(ValueError, match=f'tv: torchvision:{name} has no counterpart of the same weights in mmdet'):
        backbone.stock_config('mmdet', tmp_path)


def test_a_network_of_timm(tmp_path):
    timm = pytest.importorskip('timm')
    safetensors = pytest.importorskip('safetensors.torch')
    network = timm.create_model('resnet18')
    safetensors.save_file(network.state_dict(), tmp_path / 'resnet18.safetensors')
    (backbone, ) = parse_backbones([f'tm=timm:resnet18@{tmp_path / "resnet18.safetensors"}'])
    network.reset_classifier(0)
    images = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        assert torch.equal(build(backbone.probe_config(tmp_path))(images)[0], network.eval()(images))
        stock = build(backbone.stock_config('mmdet', tmp_path))
        torch.testing.assert_close(stock(images)[-1].mean((2, 3)), network(images))
    assert backbone.pixels.mean == pytest.approx((123.675, 116.28, 103.53))


@pytest.mark.parametrize(('words', 'error', 'message'), [
    (['resnet18'], ValueError, '--backbone resnet18: it must be NAME=run:CHECKPOINT'),
    (['a/b=torchvision:resnet18'], ValueError, 'the name of letters, digits'),
    (['a=hub:resnet18'], ValueError, "'hub' must be one of run, torchvision, timm, scratch"),
    (['a=torchvision:resnet19'], ValueError, "torchvision has no model 'resnet19'"),
    (['a=torchvision:resnet18@none.pth'], FileNotFoundError, 'there is no file none.pth'),
    (['a=run:none.pth'], FileNotFoundError, 'there is no file none.pth'),
    (['a=torchvision:resnet18', 'a=torchvision:resnet34'], ValueError, "there is another backbone 'a'"),
    (['a=torchvision:resnet18', 'b=scratch:c'], ValueError, "'c' is no other backbone; there are a"),
])
def test_words_that_are_no_backbone(words, error, message):
    with pytest.raises(error, match=message):
        parse_backbones(words)


def test_weights_of_another_network_are_refused(weights, tmp_path):
    (backbone, ) = parse_backbones([f'tv=torchvision:resnet34@{weights}'])
    message = r'resnet18.pth is no file of torchvision:resnet34: 96 keys are missing, .* the first layer1.2'
    with pytest.raises(ValueError, match=message):
        backbone.stock_config('mmdet', tmp_path)
