import pytest
import torch
from mmengine.config import ConfigDict
from mmengine.registry import MODELS

from staged_checks import assert_equals_stock, assert_leaves_no_trace, assert_trains_a_step, build
from tiny import resnet
from xlearner_mm.models.expansion import build_staged_backbone
from xlearner_mm.models.expansion.staged_hr_net import StagedHRNet

pytestmark = pytest.mark.compat

LIBRARIES = ('mmdet', 'mmseg', 'mmpretrain')
CHANNELS = (4, 8, 16, 32)


def hr_net(library, **kwargs):
    extra = dict(stage1=dict(num_modules=1, num_branches=1, block='BOTTLENECK', num_blocks=(1, ), num_channels=(4, )))
    for n in (2, 3, 4):
        extra[f'stage{n}'] = dict(num_modules=2 if n == 3 else 1, num_branches=n, block='BASIC',
                                  num_blocks=(1, ) * n, num_channels=CHANNELS[:n])
    return dict(type=f'{library}.HRNet', extra=extra, norm_eval=False, **kwargs)


@pytest.mark.parametrize('library', LIBRARIES)
@pytest.mark.parametrize('training', [True, False])
def test_staged_forward_equals_stock_bit_for_bit(library, training):
    assert_equals_stock(hr_net(library), training, num_stages=4)


@pytest.mark.parametrize('options', [dict(with_cp=True), dict(norm_eval=True)], ids=str)
@pytest.mark.parametrize('library', LIBRARIES)
def test_options_of_the_stock_backbone(library, options):
    assert_equals_stock({**hr_net(library), **options}, training=True, num_stages=4)


def test_frozen_stages_of_mmseg():
    assert_equals_stock(hr_net('mmseg', frozen_stages=2), training=True, num_stages=4)


@pytest.mark.parametrize('library', LIBRARIES)
def test_shapes_leave_no_trace(library):
    assert_leaves_no_trace(StagedHRNet, hr_net(library), CHANNELS, (4, 8, 16, 32))


@pytest.mark.parametrize('library', LIBRARIES)
def test_a_single_output(library):
    cfg = hr_net(library, multiscale_output=False)
    assert_equals_stock(cfg, training=True, num_stages=1)
    assert_leaves_no_trace(StagedHRNet, cfg, CHANNELS[:1], (4, ))


@pytest.mark.parametrize('library', LIBRARIES)
def test_an_expansion_trains_a_step(library):
    assert_trains_a_step(*[hr_net(library)] * 3, stages=(0, 1, 2, 3))


def test_mixed_with_a_resnet():
    assert_trains_a_step(hr_net('mmdet'), resnet(), hr_net('mmseg'))


def test_a_link_into_a_branch_reaches_that_branch_only():
    staged = build_staged_backbone(build(hr_net('mmdet'), training=False))
    images = torch.randn(1, 3, 64, 64)
    plain = staged.features(images)
    linked = staged.features(images, reconcile=lambda index, x: x + 1 if index == 1 else x)
    assert torch.equal(linked[1], plain[1] + 1)
    assert all(torch.equal(linked[i], plain[i]) for i in (0, 2, 3))
    assert len(staged.features(images, last=1)) == 4 and staged.features(images, last=-1) == []


def test_a_teachers_pass_equals_one_with_gradients():
    model = MODELS.build(ConfigDict(
        type='xlearner_mm.ExpandedBackbone', sub_backbones=dict(det=hr_net('mmdet'), seg=hr_net('mmseg')),
        reconciliation=dict(zero_init=False)))
    model.eval()
    images = torch.randn(1, 3, 64, 64)
    expected = {task: model(images, task) for task in model.tasks}
    with torch.no_grad():  # a branch that is known already is handed on here
        features = model.forward_tasks(images, model.tasks)
    for task in model.tasks:
        assert all(torch.equal(a, b) for a, b in zip(features[task], expected[task]))
