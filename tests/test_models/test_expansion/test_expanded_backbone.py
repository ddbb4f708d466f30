import pytest
import torch
from mmengine.config import ConfigDict
from mmengine.registry import MODELS

from tiny import resnet
from xlearner_mm.models.expansion.staged_resnet import StagedResNet

pytestmark = pytest.mark.compat

TASKS = ('cls', 'det', 'seg')


def build(**reconciliation):
    torch.manual_seed(0)
    cfg = dict(
        type='xlearner_mm.ExpandedBackbone',
        sub_backbones={task: resnet() for task in TASKS},
        reconciliation=reconciliation)
    model = MODELS.build(ConfigDict(cfg))
    model.init_weights()
    return model


def naive_figure_2a(model, x, task):
    """Figure 2a written out, without any of the package's code for running it."""

    def stem(net):
        return net.maxpool(net.relu(net.norm1(net.conv1(x))))

    others = {}
    for other in TASKS:
        if other != task:
            net, y, others[other] = model.sub_backbones[other], stem(model.sub_backbones[other]), []
            for j in range(3):
                y = getattr(net, f'layer{j + 1}')(y)
                others[other].append(y)
    net, outputs = model.sub_backbones[task], []
    y = stem(net)
    for i in range(4):
        y = getattr(net, f'layer{i + 1}')(y)
        if i < 3:
            total = 0
            for other, features in others.items():
                for j in range(i + 1):
                    link = model.reconciliation.links[task][other][f'{j}_to_{i}']
                    z = features[j]
                    for block in link.downsamples:
                        z = block.activate(block.norm(block.conv(z)))
                    total = total + link.projection.norm(link.projection.conv(z))
            y = y + total
        outputs.append(y)
    return outputs


@pytest.mark.parametrize('task', TASKS)
def test_equals_a_naive_figure_2a(task):
    model = build(zero_init=False).eval().double()  # float32 only rounds sums of another order differently
    x = torch.randn(2, 3, 64, 64, dtype=torch.double)
    for own, naive in zip(model(x, task), naive_figure_2a(model, x, task)):
        torch.testing.assert_close(own, naive, rtol=0, atol=1e-6)


@pytest.mark.parametrize('task', TASKS)
@pytest.mark.parametrize('training', [True, False])
def test_features_at_initialisation_are_the_plain_ones(task, training):
    model = build().train(training)
    x = torch.randn(2, 3, 64, 64)
    plain = model.sub_backbones[task](x)
    for a, b in zip(model(x, task), plain):
        assert torch.equal(a, b)


def test_a_teachers_pass_runs_each_stem_once(monkeypatch):
    model = build(zero_init=False).eval()
    x, stems = torch.randn(2, 3, 64, 64), []
    with torch.no_grad():
        expected = {task: model(x, task) for task in TASKS}
        stem = StagedResNet.stem
        monkeypatch.setattr(StagedResNet, 'stem', lambda self, x: stems.append(self) or stem(self, x))
        features = model.forward_tasks(x, TASKS)
    assert len(stems) == len(set(map(id, stems))) == 3
    for task in TASKS:
        assert all(torch.equal(a, b) for a, b in zip(features[task], expected[task]))


def test_forward_tasks_equals_forward():
    model = build(zero_init=False).eval()
    x = torch.randn(2, 3, 64, 64)
    for task, features in model.forward_tasks(x, ['cls', 'seg']).items():
        assert all(torch.equal(a, b) for a, b in zip(features, model(x, task)))


@pytest.mark.parametrize('detach', [True, False])
def test_gradients_into_other_sub_backbones(detach):
    model = build(detach=detach, zero_init=False).train()
    sum(f.square().mean() for f in model(torch.randn(2, 3, 64, 64), 'det')).backward()
    for task, net in model.sub_backbones.items():
        grads = [p.grad is not None and p.grad.abs().sum() > 0 for p in net.parameters()]
        if task == 'det':
            assert all(grads)
        else:
            assert any(grads) is (not detach)
    received = {name.split('.')[1] for name, p in model.reconciliation.named_parameters() if p.grad is not None}
    assert received == {'det'}


def test_every_link_parameter_learns_within_two_steps():
    model = build().train()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    learned = set()
    for step in range(2):
        for task in TASKS:
            generator = torch.Generator().manual_seed(step)
            features = model(torch.randn(2, 3, 64, 64, generator=generator), task)
            sum((f * torch.randn(f.shape, generator=generator)).mean() for f in features).backward()
        for name, p in model.reconciliation.named_parameters():
            if p.grad is not None and p.grad.abs().sum() > 0:
                learned.add(name)
        optimizer.step()
        optimizer.zero_grad()
    assert learned == {name for name, _ in model.reconciliation.named_parameters()}


def test_auxiliary_passes_leave_no_trace_and_stop_early():
    model = build(stages=(0, 1)).train()
    before = {t: n.bn1.running_mean.clone() for t, n in model.sub_backbones.items()}
    ran = []
    for task, net in model.sub_backbones.items():
        for i in range(4):
            getattr(net, f'layer{i + 1}').register_forward_hook(lambda *_, t=task, i=i: ran.append((t, i)))
    model(torch.randn(2, 3, 64, 64), 'cls')
    assert ran == [('det', 0), ('det', 1), ('seg', 0), ('seg', 1), ('cls', 0), ('cls', 1), ('cls', 2), ('cls', 3)]
    changed = {t for t, n in model.sub_backbones.items() if not torch.equal(n.bn1.running_mean, before[t])}
    assert changed == {'cls'}
    assert all(m.training for m in model.modules())


def test_a_tasks_start_does_not_depend_on_the_other_tasks():
    both = build()
    torch.manual_seed(0)
    alone = MODELS.build(ConfigDict(type='xlearner_mm.ExpandedBackbone', sub_backbones=dict(seg=resnet())))
    alone.init_weights()
    weights = both.sub_backbones['seg'].state_dict()
    assert all(torch.equal(v, weights[k]) for k, v in alone.sub_backbones['seg'].state_dict().items())
    assert not torch.equal(both.sub_backbones['cls'].conv1.weight, both.sub_backbones['seg'].conv1.weight)


@pytest.mark.parametrize('detach', [True, False])
def test_checkpointed_blocks_need_detached_links(detach):
    cfg = ConfigDict(
        type='xlearner_mm.ExpandedBackbone',
        sub_backbones=dict(cls=resnet(), det=resnet(with_cp=True)),
        reconciliation=dict(detach=detach))
    if detach:
        model = MODELS.build(cfg).train()
        sum(f.mean() for f in model(torch.randn(2, 3, 64, 64), 'det')).backward()
        assert all(p.grad is not None for p in model.sub_backbones['det'].parameters())
    else:
        with pytest.raises(ValueError, match=r"task 'det' has with_cp=True.*reconciliation\.detach=False.*Turn one of"):
            MODELS.build(cfg)


@pytest.mark.parametrize('sub_backbones, error, message', [
    ({'a.b': resnet()}, ValueError, r"Task name 'a\.b' must start with a letter.*Rename the task"),
    ({'keys': resnet()}, ValueError, "Task name 'keys' is an attribute of ModuleDict. Rename the task"),
    ({}, ValueError, r'backbone\.sub_backbones names no task'),
    ([resnet()], TypeError, r'backbone\.sub_backbones must be a dict with a key for each task, got list'),
])
def test_wrong_tasks(sub_backbones, error, message):
    with pytest.raises(error, match=message):
        MODELS.build(ConfigDict(type='xlearner_mm.ExpandedBackbone', sub_backbones=sub_backbones))
