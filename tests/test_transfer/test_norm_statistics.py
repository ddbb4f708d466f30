import pytest
import torch
from mmengine.registry import MODELS

import toy
from tiny import resnet
from xlearner_mm.models import Phase
from xlearner_mm.models.expansion import build_staged_backbone
from xlearner_mm.transfer.norm_statistics import estimate, reestimate_norms
from xlearner_mm.transfer.trained_model import load_squeezed, training_images

pytestmark = pytest.mark.compat


@pytest.fixture(scope='module')
def squeezed(toy_data, tmp_path_factory):
    work_dir = tmp_path_factory.mktemp('squeezed')
    toy.train(toy.config(toy_data, work_dir, 1, 2))
    return work_dir


def state(path):
    return torch.load(path, weights_only=False)['state_dict']


@pytest.mark.parametrize('task', [None, 'seg'])
def test_statistics_are_the_mean_over_the_batches(squeezed, tmp_path, task):
    before = state(squeezed / 'iter_2.pth')
    after = state(reestimate_norms(squeezed / 'iter_2.pth', tmp_path / 'out.pth', steps=2, task=task))
    model, cfg, _ = load_squeezed(squeezed / 'iter_2.pth')
    batches = [x for source, x in training_images(model, cfg, 2) if task in (None, model.tasks[source])]
    assert model.phase is Phase.SQUEEZE and len(batches) == (6 if task is None else 2)
    first = [model.squeeze.student.conv1(x) for x in batches]
    mean = torch.stack([y.mean((0, 2, 3)) for y in first]).mean(0)
    variance = torch.stack([y.var((0, 2, 3)) for y in first]).mean(0)
    torch.testing.assert_close(after['squeeze.student.bn1.running_mean'], mean.detach())
    torch.testing.assert_close(after['squeeze.student.bn1.running_var'], variance.detach())
    assert after['squeeze.student.bn1.num_batches_tracked'] == len(batches)
    changed = {key for key in before if not torch.equal(before[key], after[key])}
    assert changed and all(key.startswith('squeeze.student.') and '.running_' in key or 'num_batches' in key
                           for key in changed)


def test_what_is_not_trained_is_kept():
    torch.manual_seed(0)
    staged = build_staged_backbone(MODELS.build(resnet(frozen_stages=1)))
    before = {key: value.clone() for key, value in staged.backbone.state_dict().items()}
    assert estimate(staged, [torch.randn(2, 3, 32, 32) + 1]) == 2
    changed = {key for key, value in staged.backbone.state_dict().items() if not torch.equal(value, before[key])}
    assert 'layer2.0.bn1.running_mean' in changed
    assert not any(key.startswith(('bn1', 'layer1')) for key in changed)
    assert all(m.momentum == 0.1 and not m.training for m in staged.backbone.modules() if hasattr(m, 'momentum'))


@pytest.mark.parametrize('options, images, message', [
    (dict(norm_eval=True), [torch.zeros(2, 3, 32, 32)], r'no BN whose statistics are trained \(norm_eval=True keeps'),
    ({}, [], 'the steps gave no images of the task'),
])
def test_nothing_to_estimate(options, images, message):
    with pytest.raises(ValueError, match=message):
        estimate(build_staged_backbone(MODELS.build(resnet(**options))), images)


def test_wrong_checkpoints_and_tasks(squeezed, tmp_path):
    with pytest.raises(ValueError, match=r'expansion\.pth was saved before a squeeze: its student is untrained'):
        reestimate_norms(squeezed / 'expansion.pth', tmp_path / 'out.pth')
    with pytest.raises(ValueError, match=r'--task depth is no task of .*iter_2\.pth; it has cls, det, seg'):
        reestimate_norms(squeezed / 'iter_2.pth', tmp_path / 'out.pth', task='depth')
    torch.save(dict(a=1), tmp_path / 'other.pth')
    with pytest.raises(ValueError, match=r'other\.pth is no checkpoint of a training run'):
        reestimate_norms(tmp_path / 'other.pth', tmp_path / 'out.pth')
    assert not (tmp_path / 'out.pth').exists()
