import copy

import pytest
import torch
from mmengine.config import ConfigDict
from mmengine.registry import MODELS
from torch import nn

from tiny import resnet

pytestmark = pytest.mark.compat

TASKS = ('cls', 'det', 'seg')


def build(auxiliary_norm='per_task', sub_backbones=None, **kwargs):
    torch.manual_seed(0)
    cfg = dict(
        type='xlearner_mm.ExpandedBackbone', sub_backbones=sub_backbones or {task: resnet() for task in TASKS},
        reconciliation=dict(zero_init=False), auxiliary_norm=auxiliary_norm, **kwargs)
    model = MODELS.build(ConfigDict(cfg))
    model.init_weights()
    return model


def images(seed=0):
    return torch.randn(4, 3, 64, 64, generator=torch.Generator().manual_seed(seed)) * 3 + 1


def statistics(model, task, reader):
    return [(s.running_mean.clone(), s.running_var.clone(), int(s.num_batches_tracked))
            for s in model.auxiliary_norms[task].sets[reader]]


def equal(one, other):
    return all(torch.equal(a[0], b[0]) and torch.equal(a[1], b[1]) and a[2] == b[2]
               for a, b in zip(one, other, strict=True))


def test_a_set_is_updated_by_the_passes_of_its_task_only():
    model = build().train()
    before = {(t, r): statistics(model, t, r) for t in TASKS for r in TASKS if r != t}
    own = {t: model.sub_backbones[t].bn1.running_mean.clone() for t in TASKS}
    model(images(), 'cls')
    changed = {pair for pair, values in before.items() if not equal(values, statistics(model, *pair))}
    assert changed == {('det', 'cls'), ('seg', 'cls')}
    assert [t for t in TASKS if not torch.equal(own[t], model.sub_backbones[t].bn1.running_mean)] == ['cls']
    # What the stem saw, by hand: the momentum is 0.1 and the set begins at 0 and 1.
    stem = model.sub_backbones['det'].conv1(images())
    mean, var, count = statistics(model, 'det', 'cls')[0]
    torch.testing.assert_close(mean, 0.1 * stem.mean((0, 2, 3)))
    torch.testing.assert_close(var, 0.9 + 0.1 * stem.var((0, 2, 3)))
    assert count == 1
    # The stages behind the last one that is read were not run.
    assert {s[2] for s in statistics(model, 'det', 'cls')} == {0, 1}


def test_training_normalises_by_the_batch_and_evaluation_by_the_set():
    model, shared = build().train(), build('shared').train()
    assert not torch.equal(model(images(), 'cls')[0], shared(images(), 'cls')[0])
    model = build().train()
    for step in range(60):
        model(images(step), 'cls')
    seen = model._auxiliary(images(99), ['det'], 0, 'cls')['det'][0]  # by the batch
    model.eval()
    same = model._auxiliary(images(99), ['det'], 0, 'cls')['det'][0]  # by what was collected
    assert (seen - same).abs().mean() < 0.1 * seen.abs().mean()
    others = model._auxiliary(images(99), ['det'], 0, 'seg')['det'][0]  # nobody trained seg: the sub-backbone's own
    with torch.no_grad():
        plain = model.staged['det'].features(images(99), 0)[0]
    assert torch.equal(others, plain) and not torch.equal(others, same)


def test_flags_and_buffers_are_put_back():
    model = build().train()
    model.sub_backbones['det'].layer1.eval()  # frozen by hand
    buffers = {id(m): id(m._buffers) for m in model.modules() if isinstance(m, nn.BatchNorm2d)}
    training = [m.training for m in model.modules()]
    model(images(), 'cls')
    assert [m.training for m in model.modules()] == training
    assert {id(m): id(m._buffers) for m in model.modules() if isinstance(m, nn.BatchNorm2d)} == buffers
    counts = [s[2] for s in statistics(model, 'det', 'cls')]
    norms = [n for n, m in model.sub_backbones['det'].named_modules() if isinstance(m, nn.BatchNorm2d)]
    assert {n.split('.')[0] for n, c in zip(norms, counts, strict=True) if c == 1} == {'bn1', 'layer2', 'layer3'}


def test_state_dict_and_copies():
    model = build().train()
    model(images(), 'cls')
    keys = [key for key in model.state_dict() if key.startswith('auxiliary_norms')]
    assert 'auxiliary_norms.det.sets.cls.0.running_mean' in keys
    assert not [name for name, _ in model.named_parameters() if name.startswith('auxiliary_norms')]
    other = build()
    other.load_state_dict(model.state_dict())
    assert equal(statistics(model, 'det', 'cls'), statistics(other, 'det', 'cls'))
    twin = copy.deepcopy(model)
    twin(images(), 'cls')
    assert statistics(model, 'det', 'cls')[0][2] == 1 and statistics(twin, 'det', 'cls')[0][2] == 2
    assert torch.equal(model.eval()(images(), 'seg')[3], copy.deepcopy(model)(images(), 'seg')[3])


def test_several_tasks_at_once_read_each_their_own_set():
    model = build().train()
    model(images(), 'cls')
    model.eval()
    with torch.no_grad():
        together = model.forward_tasks(images(1), TASKS)
        for task in TASKS:
            for one, other in zip(together[task], model(images(1), task), strict=True):
                assert torch.equal(one, other)


def test_frozen_sub_backbones():
    model = build('shared', frozen=['det']).train()
    assert not any(p.requires_grad for p in model.sub_backbones['det'].parameters())
    assert not model.sub_backbones['det'].training and model.sub_backbones['cls'].training
    before = copy.deepcopy(model.sub_backbones['det'].state_dict())
    sum(f.sum() for f in model(images(), 'det')).backward()
    after = model.sub_backbones['det'].state_dict()
    assert all(torch.equal(value, after[key]) for key, value in before.items())
    assert any(p.grad is not None for p in model.reconciliation.links['det'].parameters())


@pytest.mark.parametrize('kwargs, message', [
    (dict(auxiliary_norm='batch'), "auxiliary_norm='batch' must be one of shared, per_task"),
    (dict(frozen=['depth']), r"backbone.frozen=\['depth'\] must be a list of tasks out of cls, det, seg"),
    (dict(frozen='det'), "backbone.frozen='det' must be a list of tasks"),
])
def test_wrong_settings(kwargs, message):
    with pytest.raises(ValueError, match=message):
        build(**kwargs)
