import pytest
from mmengine.registry import MODELS

from staged_checks import assert_equals_stock, assert_leaves_no_trace, assert_trains_a_step
from tiny import resnet
from xlearner_mm.models.expansion.staged_darknet import StagedDarknet

pytestmark = pytest.mark.compat

CHANNELS = (32, 16, 16, 16, 32, 32)  # the first one is fixed in the class
DARKNET = dict(type='mmdet.Darknet', depth=53, norm_eval=False, out_indices=tuple(range(6)))


@pytest.fixture(autouse=True)
def tiny_arch(monkeypatch):
    arch = (1, ) * 5, tuple(zip(CHANNELS[:-1], CHANNELS[1:]))
    monkeypatch.setitem(MODELS.get('mmdet.Darknet').arch_settings, 53, arch)


@pytest.mark.parametrize('training', [True, False])
def test_staged_forward_equals_stock_bit_for_bit(training):
    assert_equals_stock(DARKNET, training, num_stages=6)


@pytest.mark.parametrize('options', [dict(frozen_stages=2), dict(norm_eval=True)], ids=str)
def test_options_of_the_stock_backbone(options):
    assert_equals_stock({**DARKNET, **options}, training=True, num_stages=6)


def test_shapes_leave_no_trace():
    assert_leaves_no_trace(StagedDarknet, DARKNET, CHANNELS, (1, 2, 4, 8, 16, 32))


def test_an_expansion_trains_a_step():
    assert_trains_a_step(*[DARKNET] * 3)


def test_mixed_with_a_resnet():
    assert_trains_a_step(DARKNET, resnet())
