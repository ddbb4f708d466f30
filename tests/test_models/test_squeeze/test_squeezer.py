import pytest
import torch
from mmengine.optim import OptimWrapper
from mmengine.registry import MODELS

from tiny import batches, resnet, xlearner
from xlearner_mm.models import Normalisation, Phase
from xlearner_mm.models.squeeze.squeezer import resize_shorter_side

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


@pytest.mark.parametrize('start', ['det', 'mean', 'scratch'])
def test_the_student_begins_as_asked(start):
    model = MODELS.build(xlearner(
        backbone=dict(type='xlearner_mm.ExpandedBackbone', sub_backbones={t: resnet() for t in ('cls', 'det', 'seg')}),
        squeeze=dict(student=resnet(), start=start)))
    for number, backbone in enumerate(model.backbone.sub_backbones.values()):
        backbone.bn1.running_mean.fill_(number)
        backbone.bn1.num_batches_tracked.fill_(7 * number)
    before = {key: value.clone() for key, value in model.squeeze.student.state_dict().items()}
    model.squeeze.start_student()
    after, subs = model.squeeze.student.state_dict(), [b.state_dict() for b in model.backbone.sub_backbones.values()]
    for key, value in after.items():
        if start == 'scratch':
            assert torch.equal(value, before[key])
        elif start == 'det':
            assert torch.equal(value, subs[1][key]) and value.data_ptr() != subs[1][key].data_ptr()
        elif value.is_floating_point():
            torch.testing.assert_close(value, sum(s[key] for s in subs) / 3)
    if start == 'mean':
        assert after['bn1.running_mean'].eq(1).all() and after['bn1.num_batches_tracked'] == 14


@pytest.mark.parametrize('start, student, message', [
    ('seq', resnet(), "start='seq' must be 'scratch', 'mean' or a task: cls, det, seg"),
    ('mean', resnet(base_channels=16), r"start='mean' needs a student that is built as the sub-backbone of task 'cls'; "
                                       r"they differ in \d+ weights, e\.g\. conv1\.weight|bn1"),
    ('det', resnet(depth=34), "built as the sub-backbone of task 'det'.*or use start='scratch'"),
])
def test_a_start_that_the_student_cannot_take(start, student, message):
    with pytest.raises(ValueError, match=message):
        MODELS.build(xlearner(squeeze=dict(student=student, start=start)))


def test_levels_of_student_and_teacher_may_differ():
    criterion = dict(type='xlearner_mm.HintLoss', terms=dict(mse=1))
    model = build(hints=dict(stages=(2, (3, 2), (1, 3)), criterion=criterion))
    squeeze, x = model.squeeze, torch.randn(2, 3, 64, 64)
    assert [pair.key for pair in squeeze.pairs] == ['1_to_3', '2', '3_to_2']
    maps, teacher = squeeze.level_maps(x, 'det'), model.backbone(x, 'seg')
    terms = []
    for student, level, key in ((1, 3, '1_to_3'), (2, 2, '2'), (3, 2, '3_to_2')):
        own = squeeze.connectors['seg'][key].projection(maps[student])
        own = torch.nn.functional.interpolate(own, teacher[level].shape[-2:], mode='bilinear', align_corners=False)
        terms.append((own - teacher[level]).square().mean())
    losses = squeeze.hint_losses(x, maps, 'det', NONE)
    torch.testing.assert_close(losses['loss_hint.seg'], torch.stack(terms).mean())


@pytest.mark.parametrize('connector', ['MLPConnector', 'LadderConnector'])
def test_other_connectors_learn(connector):
    model = build(hints=dict(connector=dict(type=f'xlearner_mm.{connector}')))
    losses = model(**model.data_preprocessor(batches('maps'), True), mode='loss')
    sum(value for key, value in losses.items() if 'hint' in key).backward()
    assert all(p.grad is not None and p.grad.any() for p in model.squeeze.connectors.parameters())


def test_every_teacher_sees_every_size():
    model = build(hints=dict(sizes=('native', 32, 96)))
    squeeze, seen = model.squeeze, {}
    for task, backbone in model.backbone.sub_backbones.items():
        backbone.layer4.register_forward_hook(lambda _, __, y, t=task: seen.setdefault(t, []).append(y.shape[-1] * 32))
    x = torch.randn(2, 3, 64, 64)
    torch.manual_seed(0)
    for _ in range(60):
        squeeze.hint_losses(x, squeeze.level_maps(x, 'det'), 'det', NONE)
    for sizes in seen.values():
        assert {size: sizes.count(size) for size in set(sizes)} == pytest.approx({64: 20, 32: 20, 96: 20}, abs=9)


def test_sizes_keep_the_shape_of_the_image():
    assert resize_shorter_side(torch.zeros(1, 3, 64, 128), 96).shape == (1, 3, 96, 192)
    assert resize_shorter_side(torch.zeros(1, 3, 100, 64), 32).shape == (1, 3, 64, 32)


def test_supervised_losses_follow_their_schedule():
    model = build(supervised=[(0, 1), (10, 0)])
    data = model.data_preprocessor(batches('photos'), True)
    losses = {}
    for step in (0, 5, 10):
        model.squeeze.step = step
        torch.manual_seed(0)
        losses[step] = model.eval()(**data, mode='loss')
    torch.testing.assert_close(losses[5]['photos.loss'], losses[0]['photos.loss'] / 2)
    assert list(losses[10]) == [key for key in losses[0] if 'hint' in key]  # the branch did not run
    for key, value in losses[10].items():
        torch.testing.assert_close(value, losses[0][key])


def test_a_step_with_hints_alone_trains_the_student_only():
    model = build(supervised=0)
    optim_wrapper = OptimWrapper(torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.1))
    before = {name: p.clone() for name, p in model.named_parameters()}
    log = model.train_step(batches(), optim_wrapper, step=3)
    assert model.squeeze.step == 3 and all('hint' in key for key in log if key != 'loss')
    changed = {name.split('.')[0] for name, p in model.named_parameters() if not torch.equal(p, before[name])}
    assert changed == {'squeeze'}


def test_weights_that_change_are_logged_with_the_loss_before_them():
    model = build(weights=dict(type='xlearner_mm.UncertaintyTeacherWeights'))
    losses = model(**model.data_preprocessor(batches('photos'), True), mode='loss')
    assert torch.equal(losses['photos.loss_hint.det'], losses['photos.hint.det'] / 2)
    assert not losses['photos.hint.det'].requires_grad
    losses['photos.loss_hint.det'].backward()
    assert model.squeeze.weights.log_variances['det'].grad.item() != 0


def test_each_teacher_and_level_has_a_standardizer_of_its_own():
    model = build(hints=dict(stages=(2, 3)), standardizer=dict(type='xlearner_mm.RunningStandardizer'))
    model(**model.data_preprocessor(batches('photos'), True), mode='loss')
    state = {key: value for key, value in model.squeeze.standardizers.state_dict().items() if key.endswith('.mean')}
    assert list(state) == [f'{t}.{s}.mean' for t in ('cls', 'det', 'seg') for s in (2, 3)]
    assert [len(value) for value in state.values()] == [32, 64] * 3 and all(value.any() for value in state.values())


@pytest.mark.parametrize('squeeze, error, message', [
    (dict(hints=dict(levels=(1, ))), TypeError, r'squeeze\.hints takes the keys stages, connector, criterion, sizes'),
    (dict(hints=dict(sizes=())), ValueError, r"sizes=\(\) must be a list of 'native' and numbers"),
    (dict(hints=dict(sizes=('big', ))), ValueError, r"sizes=\('big',\) must be a list"),
    (dict(hints=dict(stages=((4, 1), ))), ValueError, 'the student has 0 to 3, every teacher 0 to 3'),
    (dict(supervised=0, teachers='own', weights=dict(type='xlearner_mm.StaticTeacherWeights', weights=dict(det=0))),
     ValueError, "Sources of task 'det' would have no loss in the squeeze"),
])
def test_other_wrong_settings(squeeze, error, message):
    with pytest.raises(error, match=message):
        build(**squeeze)
