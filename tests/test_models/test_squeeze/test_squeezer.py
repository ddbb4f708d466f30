import pytest
import torch
from mmengine.registry import MODELS

from tiny import batches, resnet, xlearner
from xlearner_mm.models import Normalisation, Phase

pytestmark = pytest.mark.compat

NONE = Normalisation.none()


def build(**squeeze):
    torch.manual_seed(0)
    model = MODELS.build(xlearner(squeeze=dict(student=resnet(), **squeeze)))
    model.init_weights()
    model.set_phase(Phase.SQUEEZE)
    return model.train()


def test_hint_is_the_distance_of_connected_student_and_expanded_teacher():
    model = build(hints=dict(stages=(2, 3), criterion=dict(type='xlearner_mm.HintLoss', terms=dict(mse=1))))
    squeeze, x = model.squeeze, torch.randn(2, 3, 64, 64)
    features = squeeze(x, 'det', last=0)
    assert len(features) == 1
    with squeeze.recording() as passes:
        squeeze(x, 'det', last=0)
    ((images, features), ) = passes
    assert images is x and len(features) == 4
    losses = squeeze.hint_losses(x, features, 'det', NONE)
    assert list(losses) == ['loss_hint.cls', 'loss_hint.det', 'loss_hint.seg']
    teacher = model.backbone(x, 'seg')
    expected = torch.stack([
        (squeeze.connectors['seg'][str(s)].projection(features[s]) - teacher[s]).square().mean() for s in (2, 3)
    ]).mean()
    torch.testing.assert_close(losses['loss_hint.seg'], expected)
    losses['loss_hint.seg'].backward()
    assert squeeze.student.layer4[1].conv2.weight.grad.abs().sum() > 0
    assert squeeze.connectors['seg']['3'].projection.weight.grad.abs().sum() > 0
    assert squeeze.connectors['cls']['3'].projection.weight.grad is None
    assert all(p.grad is None for p in model.backbone.parameters())


def test_own_teacher_only():
    model = build(teachers='own')
    losses = model(**model.data_preprocessor(batches(), True), mode='loss')
    assert {k for k in losses if 'hint' in k} == {'photos.loss_hint.cls', 'boxes.loss_hint.det', 'maps.loss_hint.seg'}


def test_the_standardizer_sees_teacher_features():
    plain, standardized = build(), build(standardizer=dict(type='xlearner_mm.BatchStandardizer'))
    x = torch.randn(2, 3, 64, 64)
    for model in (plain, standardized):
        with torch.no_grad():
            for p in model.squeeze.connectors.parameters():
                p.zero_()
    features = plain.squeeze(x, 'det', last=3)
    # Against a connector that gives 0, the smooth L1 of standardised features is near E[h(z)] of unit variance.
    value = standardized.squeeze.hint_losses(x, features, 'cls', NONE)['loss_hint.cls']
    assert 0.2 < value < 0.5 and value != plain.squeeze.hint_losses(x, features, 'cls', NONE)['loss_hint.cls']


def test_phase_is_in_the_state_dict_and_the_teacher_is_not():
    squeeze = build().squeeze
    assert squeeze.state_dict()['phase'] == 1
    assert {key.split('.')[0] for key in squeeze.state_dict()} == {'phase', 'student', 'connectors'}


@pytest.mark.parametrize('squeeze, message', [
    (dict(teachers='some'), "squeeze.teachers='some' must be 'all' or 'own'"),
    (dict(hints=dict(stages=(4, ))), r'squeeze.hints.stages=\(4,\).*0 to 3'),
    (dict(hints=dict(stages=())), r'squeeze.hints.stages=\(\)'),
])
def test_wrong_settings(squeeze, message):
    with pytest.raises(ValueError, match=message):
        build(**squeeze)
