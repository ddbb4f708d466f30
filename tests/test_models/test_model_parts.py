import copy

import pytest
import torch

import tiny
from xlearner_mm.models import Phase
from xlearner_mm.models.model_parts import SHARED, model_parts
from xlearner_mm.registry import MODELS

pytestmark = pytest.mark.compat

SIZE = (64, 96)


def numel(module):
    return sum(p.numel() for p in module.parameters())


def conv_flops(inside, outside, kernel, height, width):
    return 2 * inside * outside * kernel ** 2 * height * width


@pytest.fixture(scope='module')
def model():
    return MODELS.build(tiny.xlearner(squeeze=dict(
        student=tiny.resnet(base_channels=16), hints=dict(stages=(1, 3)),
        branches=dict(photos=tiny.classifier(channels=128), boxes=tiny.detector(channels=(16, 32, 64, 128)),
                      maps=tiny.segmentor(channels=128)))))


@pytest.fixture(scope='module')
def parts(model):
    return model_parts(model, SIZE)


def test_the_parameters_of_all_parts_are_the_models(model, parts):
    assert parts.parameters == numel(model) == sum(row.parameters for row in parts.rows)
    assert parts.other_parameters == 0
    for task, backbone in model.backbone.sub_backbones.items():
        assert parts.backbones[task].parameters == numel(backbone)
    for source, branch in model.branches.items():
        assert parts.branches[source].parameters == numel(branch)
        assert parts.squeeze_branches[source].parameters == numel(model.squeeze.branches[source])
    assert sum(link.parameters for link in parts.links) == numel(model.backbone.reconciliation)
    assert parts.student.parameters == numel(model.squeeze.student)
    assert sum(c.parameters for c in parts.connectors.values()) == numel(model.squeeze.connectors)


def test_every_phase_trains_what_is_its_own(model, parts):
    squeeze = model.squeeze
    assert parts.trained == dict(
        expansion=numel(model.backbone) + numel(model.branches),
        squeeze=numel(squeeze.student) + numel(squeeze.connectors) + numel(squeeze.branches))


def test_what_is_frozen_is_not_trained_and_carried_over_branches_are():
    model = MODELS.build(tiny.xlearner(backbone=dict(
        type='xlearner_mm.ExpandedBackbone',
        sub_backbones=dict(cls=tiny.resnet(), det=tiny.resnet(frozen_stages=0), seg=tiny.resnet()))))
    frozen = model.backbone.sub_backbones['det']
    stem = numel(frozen.conv1) + numel(frozen.bn1)
    trained = model_parts(model, (64, 64)).trained
    assert trained['expansion'] == numel(model.backbone) + numel(model.branches) - stem
    assert trained['squeeze'] == numel(model.squeeze) + numel(model.branches)


def test_the_links_are_the_papers_and_their_operations_those_of_their_convolutions(parts):
    tasks = ('cls', 'det', 'seg')
    assert {link[:4] for link in parts.links} == {
        (source, read, receiver, stage) for source in tasks for receiver in tasks if source != receiver
        for stage in range(3) for read in range(stage + 1)}
    assert len(parts.links) == 36
    by_name = {link[:4]: link for link in parts.links}
    same, cross = by_name['det', 1, 'seg', 1], by_name['det', 0, 'seg', 2]
    assert same.flops == conv_flops(16, 16, 1, 8, 12)
    assert cross.flops == conv_flops(8, 8, 3, 8, 12) + conv_flops(8, 8, 3, 4, 6) + conv_flops(8, 32, 1, 4, 6)
    assert cross.parameters == 2 * (8 * 8 * 9 + 16) + 8 * 32 + 64


def test_a_pass_is_the_own_backbone_the_links_and_the_others_up_to_the_last_read_stage(parts):
    own = parts.backbones['cls']
    # Of a ResNet-18 the last stage: a 3x3 of stride 2, three 3x3, and the 1x1 of the shortcut.
    last = (conv_flops(32, 64, 3, 2, 3) + 3 * conv_flops(64, 64, 3, 2, 3) + conv_flops(32, 64, 1, 2, 3))
    links = sum(link.flops for link in parts.links if link.receiver == 'cls')
    assert own.all_flops == own.flops + links + 2 * (own.flops - last)
    assert own.kind == 'mmpretrain.ResNet' and parts.backbones['seg'].kind == 'mmseg.ResNet'
    assert [tuple(shape) for shape in own.shapes] == [(8, 4), (16, 8), (32, 16), (64, 32)]


def test_operations_of_branches_and_connectors_are_without_the_backbone(parts):
    assert parts.branches['photos'].flops == 2 * 64 * 3
    assert parts.squeeze_branches['photos'].flops == 2 * 128 * 3
    # An FCNHead joins its input to what its convolution gives.
    assert parts.branches['maps'].flops == (
        conv_flops(64, 8, 3, 2, 3) + conv_flops(64 + 8, 8, 3, 2, 3) + conv_flops(8, 4, 1, 2, 3))
    assert (parts.branches['boxes'].task, parts.branches['boxes'].kind) == ('det', 'mmdet.FCOS')
    connector = parts.connectors['seg']
    assert connector.stages == (1, 3)
    assert connector.flops == conv_flops(32, 16, 1, 8, 12) + conv_flops(128, 64, 1, 2, 3)


def test_a_model_that_does_not_run_on_an_image_alone_has_no_operations():
    branches = dict(boxes=dict(task='det', model=tiny.two_stage_detector()))
    parts = model_parts(MODELS.build(tiny.xlearner(squeeze=False, expanded=False, branches=branches)), SIZE)
    assert parts.branches['boxes'].flops is None and parts.branches['boxes'].parameters > 0


def test_hard_sharing_is_one_backbone_without_links():
    model = MODELS.build(tiny.xlearner(squeeze=False, expanded=False))
    parts = model_parts(model, SIZE)
    assert list(parts.backbones) == [SHARED] and parts.links == () and parts.student is None
    assert parts.backbones[SHARED].flops == parts.backbones[SHARED].all_flops > 0
    assert parts.trained == dict(expansion=numel(model)) and parts.other_parameters == 0


def test_without_stages_there_are_no_links_and_no_auxiliary_passes():
    cfg = tiny.xlearner(squeeze=False)
    cfg.backbone.reconciliation = dict(stages=())
    parts = model_parts(MODELS.build(cfg), SIZE)
    assert parts.links == () and all(p.flops == p.all_flops for p in parts.backbones.values())


@pytest.mark.parametrize('phase', Phase)
def test_the_model_is_left_as_it_was(phase):
    model = MODELS.build(tiny.xlearner())
    model.train()
    model.backbone.sub_backbones['det'].bn1.eval()
    model.set_phase(phase)
    state = copy.deepcopy(model.state_dict())
    before = [m.training for m in model.modules()], [p.requires_grad for p in model.parameters()], model.phase
    rng = torch.get_rng_state()
    model_parts(model, (64, 64))
    assert before == ([m.training for m in model.modules()], [p.requires_grad for p in model.parameters()], model.phase)
    assert all(torch.equal(value, state[key]) for key, value in model.state_dict().items())
    assert torch.equal(rng, torch.get_rng_state())


def test_a_size_that_does_not_fit_is_told(monkeypatch):
    model = MODELS.build(tiny.xlearner(squeeze=False, expanded=False))
    monkeypatch.setattr(model.backbone, 'conv1', torch.nn.Linear(7, 8))
    monkeypatch.setattr('xlearner_mm.models.model_parts.build_staged_backbone', lambda backbone: _Unfit(backbone))
    with pytest.raises(ValueError, match=r'does not run on an image of 64×96 pixels: .* Give another --size\.'):
        model_parts(model, SIZE)


class _Unfit:

    def __init__(self, backbone):
        self.backbone = backbone

    def features(self, image):
        return self.backbone.conv1(image)
