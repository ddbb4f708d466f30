import math

import pytest
import torch
from mmengine.config import ConfigDict
from mmengine.optim import OptimWrapper
from mmengine.registry import MODELS

from tiny import batch, batches, classifier, detector, port, resnet, segmentor, xlearner
from xlearner_mm.models import Phase

pytestmark = pytest.mark.compat


def build(seed=0, **kwargs):
    torch.manual_seed(seed)
    model = MODELS.build(xlearner(**kwargs))
    model.init_weights()
    return model.train()


def wrapper(model, lr=0.01, **kwargs):
    return OptimWrapper(torch.optim.SGD(model.parameters(), lr=lr), **kwargs)


def test_state_dict_has_each_weight_once_under_the_contracts_names():
    keys = set(build().state_dict())
    heads = {'.'.join(key.split('.')[:2]) for key in keys}
    assert heads == {
        'backbone.sub_backbones', 'backbone.reconciliation', 'branches.photos', 'branches.boxes', 'branches.maps',
        'squeeze.student', 'squeeze.connectors', 'squeeze.phase'
    }
    assert not any('branches' in key and '.backbone.' in key for key in keys)


@pytest.mark.parametrize('source, make', [('photos', classifier), ('boxes', detector), ('maps', segmentor)])
def test_losses_and_predictions_equal_the_stock_models(source, make):
    torch.manual_seed(0)
    model = MODELS.build(ConfigDict(type='xlearner_mm.XLearner', backbone=resnet(out_indices=(0, 1, 2, 3)),
                                    branches={source: dict(task='any', model=make())}))
    library = dict(photos='mmpretrain', boxes='mmdet', maps='mmseg')[source]
    own = resnet(library, out_indices=(3, ) if source == 'photos' else (0, 1, 2, 3))
    stock = MODELS.build(ConfigDict(make(backbone=own), _scope_=library))
    weights = {f'backbone.{k}': v for k, v in model.backbone.state_dict().items()}
    stock.load_state_dict({**weights, **model.branches[source].state_dict()})
    for m in (model, stock):
        m.train()
    torch.manual_seed(1)
    stock_losses = stock(**stock.data_preprocessor(batch(source), True), mode='loss')
    torch.manual_seed(1)
    losses = model(**model.data_preprocessor({source: batch(source)}, True), mode='loss')
    assert set(losses) == {f'{source}.{key}' for key in stock_losses}
    for key, value in stock_losses.items():
        for a, b in zip(*(v if isinstance(v, list) else [v] for v in (losses[f'{source}.{key}'], value))):
            assert torch.equal(a, b)
    for m in (model, stock):
        m.eval()
    with torch.no_grad():
        predictions, expected = model.val_step({source: batch(source)}), stock.val_step(batch(source))
    for a, b in zip(predictions, expected):
        for field in ('pred_label', 'pred_score', 'pred_instances', 'pred_sem_seg'):
            if field in b:
                x, y = (getattr(s, field) for s in (a, b))
                pairs = [(x, y)] if isinstance(y, torch.Tensor) else [(x.get(k), y.get(k)) for k in y.keys()]
                assert pairs and all(torch.equal(p, q) for p, q in pairs)


def test_a_tasks_loss_trains_its_own_part_only():
    model = build()
    losses = model(**model.data_preprocessor(batches('boxes'), True), mode='loss')
    model.parse_losses(losses)[0].backward()
    trained = {'.'.join(n.split('.')[:3]) for n, p in model.named_parameters() if p.grad is not None}
    parts = {name for name in trained if not name.startswith('branches.boxes')}
    assert parts == {'backbone.sub_backbones.det', 'backbone.reconciliation.links'}
    links = {n.split('.')[3] for n, p in model.named_parameters() if 'reconciliation' in n and p.grad is not None}
    assert links == {'det'}


def test_train_step_logs_weighted_losses_by_source_and_their_total():
    cfg = xlearner()
    cfg.branches.photos.loss_weight = 3.0
    torch.manual_seed(0)
    weighted = MODELS.build(cfg)
    weighted.init_weights()
    logs = weighted.train_step(batches(), wrapper(weighted), random_key=(0, ))
    plain = build()
    reference = plain.train_step(batches(), wrapper(plain), random_key=(0, ))
    assert math.isclose(logs['photos.loss'], 3 * reference['photos.loss'], rel_tol=1e-6)
    assert logs['maps.decode.loss_ce'] == reference['maps.decode.loss_ce']
    total = sum(v for k, v in logs.items() if 'loss' in k and k != 'loss')
    assert math.isclose(logs['loss'], total, rel_tol=1e-6)
    assert next(iter(logs)) == 'loss' and not any(v.requires_grad for v in logs.values())


def test_a_backward_a_source_gives_the_gradients_of_the_sum():
    branches = xlearner().branches
    branches.maps.model.decode_head.dropout_ratio = 0
    model, reference = build(branches=branches), build(branches=branches)
    optim = wrapper(model, accumulative_counts=2)  # two iterations for a step: the gradients stay
    model.train_step(batches(), optim)
    losses = reference(**reference.data_preprocessor(batches(), True), mode='loss')
    (reference.parse_losses(losses)[0] / 2).backward()
    compared = set()
    for (name, p), (_, q) in zip(model.named_parameters(), reference.named_parameters()):
        assert (p.grad is None) == (q.grad is None), name
        if p.grad is not None:
            torch.testing.assert_close(p.grad, q.grad, rtol=1e-4, atol=1e-6, msg=name)
            compared.add('.'.join(name.split('.')[:3 if 'sub_backbones' in name else 2]))
    assert compared == {'backbone.sub_backbones.cls', 'backbone.sub_backbones.det', 'backbone.sub_backbones.seg',
                        'backbone.reconciliation', 'branches.photos', 'branches.boxes', 'branches.maps'}


def test_several_sources_are_one_iteration_for_accumulation():
    model = build()
    optim = wrapper(model, lr=0.1, accumulative_counts=2)
    optim.initialize_count_status(model, 0, 10)
    start = model.branches['photos'].head.fc.weight.clone()
    model.train_step(batches(), optim)
    assert optim._inner_count == 1 and torch.equal(model.branches['photos'].head.fc.weight, start)
    model.train_step(batches(), optim)
    assert optim._inner_count == 2 and not torch.equal(model.branches['photos'].head.fc.weight, start)


def test_randomness_of_a_step_depends_on_its_key_only():
    results = []
    for noise in (1, 2):
        model = build()
        torch.manual_seed(noise)
        results.append(model.train_step(batches('maps'), wrapper(model), random_key=(7, 0, 3, 0)))
    assert results[0]['loss'] == results[1]['loss']
    model = build()
    assert model.train_step(batches('maps'), wrapper(model), random_key=(7, 0, 4, 0))['loss'] != results[0]['loss']


def test_initialisation_is_keyed_by_name():
    full, alone = build(), build(squeeze=False)
    weights = full.state_dict()
    assert all(torch.equal(v, weights[k]) for k, v in alone.state_dict().items())


def test_another_task_leaves_the_start_of_the_other_connectors():
    three = build().squeeze.connectors
    cfg = xlearner()
    del cfg.backbone.sub_backbones['cls'], cfg.branches['photos']
    two = build(backbone=cfg.backbone, branches=cfg.branches).squeeze.connectors
    assert list(three) == ['cls', 'det', 'seg'] and list(two) == ['det', 'seg']
    weights = three.state_dict()
    assert all(torch.equal(v, weights[k]) for k, v in two.state_dict().items())
    assert not torch.equal(three['det']['3'].projection.weight, three['seg']['3'].projection.weight)


def test_nan_stops_before_the_step_and_names_the_source():
    model = build()
    with torch.no_grad():
        model.branches['boxes'].bbox_head.conv_cls.weight.fill_(float('nan'))
    start = {k: v.clone() for k, v in model.named_parameters()}
    with pytest.raises(FloatingPointError, match=r"source 'boxes' is not finite: .*boxes\.loss_cls.*not applied"):
        model.train_step(batches(), wrapper(model))
    assert all(torch.equal(p, start[k]) or k.endswith('conv_cls.weight') for k, p in model.named_parameters())


def test_squeeze_trains_the_student_and_freezes_the_teacher():
    model = build()
    model.set_phase(Phase.SQUEEZE)
    teacher = {k: v.clone() for k, v in model.backbone.state_dict().items()}
    student = {k: v.clone() for k, v in model.squeeze.student.state_dict().items()}
    logs = model.train().train_step(batches(), wrapper(model, lr=0.1), random_key=(0, ))
    assert {k for k in logs if 'loss_hint' in k} == {
        f'{source}.loss_hint.{task}' for source in ('photos', 'boxes', 'maps') for task in ('cls', 'det', 'seg')
    }
    assert all(torch.equal(v, teacher[k]) for k, v in model.backbone.state_dict().items())
    assert not any(torch.equal(v, student[k]) for k, v in model.squeeze.student.state_dict().items()
                   if k.endswith('conv1.weight'))
    assert not model.backbone.training and model.squeeze.student.training


def test_loading_a_squeezed_checkpoint_enters_the_squeeze():
    saved = build()
    saved.set_phase(Phase.SQUEEZE)
    model = build(seed=1)
    model.load_state_dict(saved.state_dict())
    assert model.phase is Phase.SQUEEZE
    assert not any(p.requires_grad for p in model.backbone.parameters())
    model.load_state_dict(build().state_dict())
    assert model.phase is Phase.EXPANSION and all(p.requires_grad for p in model.backbone.parameters())


def trained(module):
    return {name for name, p in module.named_parameters() if p.requires_grad}


def test_what_a_config_froze_stays_frozen_in_both_phases():
    norm = dict(norm_cfg=dict(type='BN', requires_grad=False))
    cfg = xlearner()
    cfg.backbone.sub_backbones.det.update(norm)
    model = build(backbone=cfg.backbone, squeeze=dict(student=resnet(frozen_stages=1, **norm)))
    free = build()
    det, student = model.backbone.sub_backbones['det'], model.squeeze.student
    convs = {n for n, _ in det.named_parameters() if 'conv' in n or n.endswith('downsample.0.weight')}
    deep = {n for n in convs if not n.startswith(('conv1', 'layer1'))}
    assert convs and deep < convs
    for phase in (Phase.EXPANSION, Phase.SQUEEZE, Phase.EXPANSION):
        model.set_phase(phase)
        free.set_phase(phase)
        assert trained(det) == (convs if phase is Phase.EXPANSION else set())
        assert trained(student) == (deep if phase is Phase.SQUEEZE else set())
        others = {n for n in trained(free) if not n.startswith(('backbone.sub_backbones.det', 'squeeze.student'))}
        assert others <= trained(model)


def test_an_override_brings_its_own_data_preprocessor():
    own = classifier()
    own['data_preprocessor'].update(mean=[0.0] * 3, std=[1.0] * 3)
    model, data = build(squeeze=dict(student=resnet(), branches=dict(photos=own))), batches('photos', 'boxes')
    raw = torch.stack(data['photos']['inputs']).float()
    for phase, expected in ((Phase.EXPANSION, (raw - 127.5) / 127.5), (Phase.SQUEEZE, raw),
                            (Phase.EXPANSION, (raw - 127.5) / 127.5)):
        model.set_phase(phase)
        inputs = model.data_preprocessor(data, True)['inputs']
        torch.testing.assert_close(inputs['photos'], expected)
        assert inputs['boxes'].abs().max() <= 1


def test_predictions_of_the_squeeze_come_from_the_student():
    model = build()
    model.set_phase(Phase.SQUEEZE)
    model.eval()
    with torch.no_grad():
        before = model.val_step({'photos': batch('photos')})[0].pred_score
        for p in model.backbone.parameters():
            p.zero_()
        assert torch.equal(model.val_step({'photos': batch('photos')})[0].pred_score, before)
        for p in model.squeeze.student.parameters():
            p.zero_()
        assert not torch.equal(model.val_step(batch('photos'))[0].pred_score, before)


def test_a_wider_student_needs_heads_of_its_own():
    wide = dict(student=resnet(base_channels=16, stem_channels=16))
    with pytest.raises(ValueError, match=r"'photos' reads stages of channels \(64,\).*\(128,\).*squeeze\.branches"):
        build(squeeze=wide)
    wide['branches'] = dict(photos=classifier(channels=128), maps=segmentor(channels=128),
                            boxes=detector(channels=(16, 32, 64, 128)))
    model = build(squeeze=wide)
    model.set_phase(Phase.SQUEEZE)
    model.train().train_step(batches(), wrapper(model))
    assert model.branch('photos') is model.squeeze.branches['photos']
    assert model.branches['photos'].head.fc.weight.grad is None


@pytest.mark.parametrize('branches, error, message', [
    ({}, ValueError, 'model.branches names no source'),
    ({'my_loss': dict(task='cls', model=classifier())}, ValueError, "'my_loss' contains \"loss\""),
    ({'a.b': dict(task='cls', model=classifier())}, ValueError, "'a.b' must start with a letter"),
    ({'a': dict(task='depth', model=classifier())}, ValueError, "'a' is of task 'depth'.*cls, det, seg"),
    ({'a': dict(task='cls', model=classifier(), wheight=2)}, TypeError, 'branches.a takes the keys.*wheight'),
    ({'a': dict(task='cls', model=classifier(), loss_weight=-1)}, ValueError, "loss_weight=-1 of source 'a'"),
    ({'a': dict(task='cls', model=classifier(backbone=resnet('mmpretrain')))}, ValueError, "'a' has a backbone of its"),
    ({'a': dict(task='cls', model=classifier(backbone=port(out_indices=(4, ))))}, ValueError, "'a'.*stages 0 to 3"),
    ({'a': dict(task='cls', model=classifier(backbone=port(output='tokens')))}, ValueError, "'a'.*output='tokens'"),
    ([], TypeError, 'model.branches must be a dict'),
])
def test_wrong_branches(branches, error, message):
    with pytest.raises(error, match=message):
        build(branches=branches)


def test_wrong_squeeze_and_mode():
    with pytest.raises(ValueError, match='needs an ExpandedBackbone'):
        build(expanded=False)
    with pytest.raises(ValueError, match=r"squeeze.branches names \['cats'\]"):
        build(squeeze=dict(student=resnet(), branches=dict(cats=classifier())))
    with pytest.raises(TypeError, match="unexpected keyword argument 'init_cfg'"):
        build(init_cfg=dict(type='Pretrained', checkpoint='a.pth'))
    model = build(squeeze=False)
    with pytest.raises(ValueError, match='has no squeeze phase'):
        model.set_phase(Phase.SQUEEZE)
    with pytest.raises(ValueError, match="mode='losses'"):
        model(None, None, mode='losses')
    with pytest.raises(ValueError, match='name the source None'):
        model(torch.zeros(1, 3, 64, 64), None, mode='predict')
