import pytest
import torch
from mmengine.config import ConfigDict
from mmengine.registry import MODELS

from staged_checks import build as build_backbone
from tiny import batches, classifier, resnet, xlearner
from xlearner_mm.models import Normalisation, Phase

pytestmark = pytest.mark.compat

IMAGENET = dict(mean=[123.7, 116.3, 103.5], std=[58.4, 57.1, 57.4], to_rgb=True)


@pytest.fixture
def external(tmp_path):
    """A stock classifier of another width and family branch, and its checkpoint."""
    backbone = resnet('mmpretrain', base_channels=4, stem_channels=4, depth=34)
    model = classifier(backbone=backbone, channels=32)
    model['data_preprocessor'] = dict(type='mmpretrain.ClsDataPreprocessor', **IMAGENET)
    torch.manual_seed(3)
    stock = MODELS.build(ConfigDict(dict(model, _scope_='mmpretrain')))
    torch.save(dict(state_dict=stock.state_dict()), tmp_path / 'stock.pth')
    return model, str(tmp_path / 'stock.pth'), stock


def build(model, checkpoint, **squeeze):
    torch.manual_seed(0)
    xl = MODELS.build(xlearner(squeeze=dict(
        student=resnet(), external=dict(photos_expert=dict(model=model, checkpoint=checkpoint)), **squeeze)))
    xl.init_weights()
    xl.set_phase(Phase.SQUEEZE)
    return xl.train()


@pytest.mark.parametrize('which, teachers', [('all', ['cls', 'det', 'seg']), ('own', ['cls'])])
def test_an_external_teacher_teaches_on_every_image(external, which, teachers):
    model, checkpoint, _ = external
    xl = build(model, checkpoint, teachers=which)
    losses = xl(**xl.data_preprocessor(batches('photos'), True), mode='loss')
    assert [key for key in losses if 'hint' in key] == [f'photos.loss_hint.{t}' for t in [*teachers, 'photos_expert']]
    losses['photos.loss_hint.photos_expert'].backward()
    assert xl.squeeze.student.conv1.weight.grad.any()


def test_it_is_frozen_in_eval_mode_and_in_the_checkpoint(external):
    model, checkpoint, stock = external
    xl = build(model, checkpoint)
    teacher = xl.squeeze.teachers.external['photos_expert']
    assert not any(m.training for m in teacher.modules()) and not any(p.requires_grad for p in teacher.parameters())
    state = xl.state_dict()
    for key, value in stock.backbone.state_dict().items():
        assert torch.equal(state[f'squeeze.teachers.external.photos_expert.backbone.{key}'], value)
    xl.set_phase(Phase.EXPANSION)
    xl.set_phase(Phase.SQUEEZE)
    assert not any(p.requires_grad for p in teacher.parameters())


def test_it_sees_images_as_its_own_preprocessor_gives_them(external):
    model, checkpoint, stock = external
    xl = build(model, checkpoint)
    data = batches('photos')
    ours = xl.data_preprocessor(data, True)['inputs']['photos']
    normalisation = Normalisation.none().then_by(xl.branches['photos'].data_preprocessor)
    theirs = stock.data_preprocessor(dict(inputs=data['photos']['inputs']), False)['inputs']
    stock.eval()
    expected = stock.backbone(theirs)
    teacher = xl.squeeze.teachers.external['photos_expert']
    for a, b in zip(teacher(ours, normalisation), expected, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-4)
    assert len(teacher(ours, normalisation, 1)) == 2
    for a in (ours, normalisation.convert(ours, normalisation)):
        assert a.data_ptr() == ours.data_ptr()  # nothing is computed where nothing differs


def test_teachers_in_bfloat16(external):
    xl, half = (build(*external[:2], teacher_dtype=dtype) for dtype in (None, 'bfloat16'))
    x, seen = torch.randn(2, 3, 64, 64), []
    for model in (xl, half):
        model.squeeze.teachers.external['photos_expert'].backbone.layer4.register_forward_hook(
            lambda _, __, y: seen.append(y.dtype))
        model.backbone.sub_backbones['det'].layer4.register_forward_hook(lambda _, __, y: seen.append(y.dtype))
    losses = [m.squeeze.hint_losses(x, m.squeeze.level_maps(x, 'det'), 'det', Normalisation.none()) for m in (xl, half)]
    assert seen == [torch.float32] * 2 + [torch.bfloat16] * 2
    for name, value in losses[0].items():
        assert losses[1][name].dtype == torch.float32
        torch.testing.assert_close(losses[1][name], value, rtol=0.05, atol=0.01)


def test_teachers_keep_no_graph(external):
    xl = build(*external[:2])
    x = torch.randn(2, 3, 64, 64)
    targets = xl.squeeze.teachers(x, xl.squeeze.teachers.names, Normalisation.none(), 3)
    assert list(targets) == ['cls', 'det', 'seg', 'photos_expert']
    assert all(not maps.requires_grad for levels in targets.values() for maps in levels)


def test_a_teacher_without_weight_does_not_run(external):
    weights = dict(type='xlearner_mm.StaticTeacherWeights', weights=dict(photos_expert=0, det=2))
    xl = build(*external[:2], weights=weights)
    xl.squeeze.teachers.external['photos_expert'].backbone.register_forward_pre_hook(lambda *_: pytest.fail('it ran'))
    x = torch.randn(2, 3, 64, 64)
    features = xl.squeeze.level_maps(x, 'det')
    losses = xl.squeeze.hint_losses(x, features, 'det', Normalisation.none())
    assert list(losses) == ['loss_hint.cls', 'loss_hint.det', 'loss_hint.seg']
    plain = xl.squeeze.distances(x, features, ['det'], Normalisation.none())['det']
    torch.testing.assert_close(losses['loss_hint.det'], 2 * plain)


def test_a_checkpoint_that_does_not_fit(external, tmp_path):
    model, _, _ = external
    torch.save(build_backbone(resnet()).state_dict(), tmp_path / 'other.pth')
    message = r'other\.pth does not fit the backbone of squeeze\.external\.photos_expert, \d+ problems.*Use a check'
    with pytest.raises(ValueError, match=message):
        build(model, str(tmp_path / 'other.pth'))


def test_a_bare_backbones_checkpoint(external, tmp_path):
    model, _, stock = external
    torch.save(stock.backbone.state_dict(), tmp_path / 'bare.pth')
    teacher = build(model, str(tmp_path / 'bare.pth')).squeeze.teachers.external['photos_expert']
    assert torch.equal(teacher.backbone.conv1.weight, stock.backbone.conv1.weight)


@pytest.mark.parametrize('squeeze, error, message', [
    (dict(external=dict(det=dict(model={}, checkpoint=''))), ValueError, r"names \['det'\], which are tasks"),
    (dict(external=dict(x=dict(model=dict(type='a'), checkpoint=''))), TypeError, 'stock model with a backbone'),
    (dict(external=dict(x=dict(checkpoint='a.pth'))), TypeError, r'external\.x must be dict\(model=\.\.\., checkp'),
    (dict(teacher_dtype='half'), ValueError, "teacher_dtype='half' must be None or 'bfloat16'"),
])
def test_wrong_settings(squeeze, error, message):
    with pytest.raises(error, match=message):
        MODELS.build(xlearner(squeeze=dict(student=resnet(), **squeeze)))
