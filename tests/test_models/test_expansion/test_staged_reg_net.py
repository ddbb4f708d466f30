import pytest

from staged_checks import assert_equals_stock, assert_leaves_no_trace, assert_trains_a_step
from tiny import resnet
from xlearner_mm.models.expansion.staged_reg_net import StagedRegNet

pytestmark = pytest.mark.compat

ARCH = dict(w0=8, wa=12.0, wm=2.0, group_w=8, depth=5, bot_mul=1.0)
CASES = {
    'mmdet.RegNet': dict(type='mmdet.RegNet', arch=ARCH, stem_channels=8, base_channels=8, norm_eval=False),
    'mmpretrain.RegNet': dict(type='mmpretrain.RegNet', arch=ARCH, stem_channels=8, base_channels=8),
    'mmpretrain.ResNet_CIFAR': dict(
        type='mmpretrain.ResNet_CIFAR', depth=18, stem_channels=8, base_channels=8, zero_init_residual=False)}
CASES = {name: dict(cfg, out_indices=(0, 1, 2, 3)) for name, cfg in CASES.items()}


@pytest.mark.parametrize('name', CASES)
@pytest.mark.parametrize('training', [True, False])
def test_staged_forward_equals_stock_bit_for_bit(name, training):
    assert_equals_stock(CASES[name], training, num_stages=4)


@pytest.mark.parametrize('options', [dict(with_cp=True), dict(frozen_stages=1), dict(norm_eval=True)], ids=str)
def test_options_of_the_stock_backbone(options):
    assert_equals_stock({**CASES['mmdet.RegNet'], **options}, training=True, num_stages=4)


@pytest.mark.parametrize('name', ['mmdet.RegNet', 'mmpretrain.RegNet'])
def test_shapes_leave_no_trace(name):
    assert_leaves_no_trace(StagedRegNet, CASES[name], (8, 16, 32, 64), (4, 8, 16, 32))


def test_a_resnet_for_cifar_keeps_the_resolution():
    assert_leaves_no_trace(StagedRegNet, CASES['mmpretrain.ResNet_CIFAR'], (8, 16, 32, 64), (1, 2, 4, 8))


@pytest.mark.parametrize('name', CASES)
def test_an_expansion_trains_a_step(name):
    assert_trains_a_step(*[CASES[name]] * 3, size=32 if 'CIFAR' in name else 64)


def test_mixed_with_a_resnet():
    model = assert_trains_a_step(CASES['mmdet.RegNet'], resnet(), CASES['mmpretrain.RegNet'])
    assert len(model.reconciliation.links['b']['a']['0_to_2'].downsamples) == 2
