import pytest
import torch
from mmengine.config import ConfigDict
from mmengine.registry import MODELS

from tiny import classifier, resnet, segmentor, xlearner
from xlearner_mm.utils import with_scope

pytestmark = pytest.mark.compat


@pytest.fixture
def saved(tmp_path):
    """A stock segmentor and classifier, as their libraries save them."""
    torch.manual_seed(7)
    files = {}
    for name, cfg in dict(maps=segmentor(backbone=resnet('mmseg')),
                          photos=classifier(backbone=resnet('mmpretrain', out_indices=(3, )))).items():
        model = MODELS.build(with_scope(ConfigDict(cfg)))
        model.init_weights()
        files[name] = str(tmp_path / f'{name}.pth')
        torch.save(dict(meta={}, state_dict={f'module.{k}': v for k, v in model.state_dict().items()}), files[name])
    return files


def build(expanded=True, **checkpoints):
    cfg = xlearner(squeeze=False, expanded=expanded)
    for source, checkpoint in checkpoints.items():
        cfg.branches[source].checkpoint = checkpoint
    torch.manual_seed(0)
    model = MODELS.build(cfg)
    model.init_weights()
    return model


def test_branch_and_sub_backbone_start_from_their_stock_model(saved):
    model, plain = build(**saved), build()
    for source, task in dict(maps='seg', photos='cls').items():
        state = {k.removeprefix('module.'): v for k, v in torch.load(saved[source])['state_dict'].items()}
        own = dict(model.branches[source].state_dict())
        own.update({f'backbone.{k}': v for k, v in model.backbone.sub_backbones[task].state_dict().items()})
        assert own.keys() == state.keys() and all(torch.equal(value, state[key]) for key, value in own.items())
    for key, value in plain.backbone.sub_backbones['det'].state_dict().items():
        assert torch.equal(value, model.backbone.sub_backbones['det'].state_dict()[key])


def test_a_shared_backbone_starts_from_one_of_them(saved):
    model = build(expanded=False, maps=saved['maps'])
    state = torch.load(saved['maps'])['state_dict']
    assert torch.equal(model.backbone.conv1.weight, state['module.backbone.conv1.weight'])
    with pytest.raises(ValueError, match="model.branches gives 'photos' and 'maps' a checkpoint each, and both would"):
        build(expanded=False, **saved)


def test_what_does_not_fit_is_refused_and_nothing_is_loaded(saved):
    with pytest.raises(ValueError, match=(
            r"(?s)maps.pth does not fit source 'photos', \d+ problems, e.g. branch: head.fc.weight is missing; branch: "
            r"head.fc.bias is missing; branch: decode_head.* is not in the model.*prefix='backbone.'\) in its sub")):
        build(photos=saved['maps'])
    cfg = xlearner(squeeze=False)
    cfg.branches.maps.checkpoint = saved['maps']
    cfg.branches.maps.model.decode_head.num_classes = 9
    torch.manual_seed(0)
    model = MODELS.build(cfg)
    before = model.backbone.sub_backbones['seg'].conv1.weight.clone()
    with pytest.raises(ValueError, match=r'decode_head.conv_seg.weight has the shape \(4, 8, 1, 1\) instead of'):
        model.init_weights()
    loaded = torch.load(saved['maps'])['state_dict']['module.backbone.conv1.weight']
    assert not torch.equal(model.backbone.sub_backbones['seg'].conv1.weight, loaded) and before.shape == loaded.shape
