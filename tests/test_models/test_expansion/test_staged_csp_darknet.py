import pytest

from staged_checks import assert_equals_stock, assert_leaves_no_trace, assert_trains_a_step
from tiny import resnet
from xlearner_mm.models.expansion.staged_csp_darknet import StagedCSPDarknet

pytestmark = pytest.mark.compat

KINDS = ('CSPDarknet', 'CSPNeXt')
CHANNELS = (8, 16, 32, 64, 128)


def csp(kind, **kwargs):
    return dict(type=f'mmdet.{kind}', deepen_factor=0.1, widen_factor=0.125, out_indices=tuple(range(5)), **kwargs)


@pytest.mark.parametrize('kind', KINDS)
@pytest.mark.parametrize('training', [True, False])
def test_staged_forward_equals_stock_bit_for_bit(kind, training):
    assert_equals_stock(csp(kind), training, num_stages=5)


@pytest.mark.parametrize('options', [dict(frozen_stages=2), dict(norm_eval=True), dict(use_depthwise=True)], ids=str)
@pytest.mark.parametrize('kind', KINDS)
def test_options_of_the_stock_backbone(kind, options):
    assert_equals_stock(csp(kind, **options), training=True, num_stages=5)


@pytest.mark.parametrize('kind', KINDS)
def test_shapes_leave_no_trace(kind):
    assert_leaves_no_trace(StagedCSPDarknet, csp(kind), CHANNELS, (2, 4, 8, 16, 32))


@pytest.mark.parametrize('kind', KINDS)
def test_six_stages_of_arch_p6(kind):
    cfg = csp(kind, arch='P6')
    assert_equals_stock(cfg, training=False, num_stages=6)
    assert_leaves_no_trace(StagedCSPDarknet, cfg, (8, 16, 32, 64, 96, 128), (2, 4, 8, 16, 32, 64))


@pytest.mark.parametrize('kind', KINDS)
def test_an_expansion_trains_a_step(kind):
    assert_trains_a_step(*[csp(kind)] * 3, stages=(0, 1, 2, 3))


def test_mixed_with_a_resnet():
    assert_trains_a_step(csp('CSPDarknet'), resnet(), csp('CSPNeXt'))
