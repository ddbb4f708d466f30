import pytest
from mmengine.registry import MODELS

from staged_checks import assert_equals_stock, assert_leaves_no_trace, assert_trains_a_step
from tiny import resnet
from xlearner_mm.models.expansion.staged_csp_net import StagedCSPNet

pytestmark = pytest.mark.compat

TINY = dict(
    CSPDarkNet=(53, dict(in_channels=(8, 8, 8, 16, 16), out_channels=(8, 8, 16, 16, 32))),
    CSPResNet=(50, dict(in_channels=(8, 8, 16, 16), out_channels=(8, 16, 16, 32))),
    CSPResNeXt=(50, dict(in_channels=(32, 32, 32, 64), out_channels=(32, 32, 64, 64),
                         block_args=dict(groups=2, width_per_group=4, base_channels=8))))
STRIDES = dict(CSPDarkNet=(2, 4, 8, 16, 32), CSPResNet=(4, 8, 16, 32), CSPResNeXt=(4, 8, 16, 32))


@pytest.fixture(autouse=True)
def tiny_archs(monkeypatch):
    for kind, (depth, arch) in TINY.items():
        settings = MODELS.get(f'mmpretrain.{kind}').arch_settings
        n = len(arch['in_channels'])
        monkeypatch.setitem(settings, depth, {**settings[depth], **arch, 'num_blocks': (1, ) * n})


def csp(kind, **kwargs):
    return dict(type=f'mmpretrain.{kind}', depth=TINY[kind][0], out_indices=tuple(range(len(STRIDES[kind]))), **kwargs)


@pytest.mark.parametrize('kind', TINY)
@pytest.mark.parametrize('training', [True, False])
def test_staged_forward_equals_stock_bit_for_bit(kind, training):
    assert_equals_stock(csp(kind), training, len(STRIDES[kind]))


@pytest.mark.parametrize('options', [dict(frozen_stages=1), dict(norm_eval=True), dict(deep_stem=True)], ids=str)
def test_options_of_the_stock_backbone(options):
    assert_equals_stock(csp('CSPResNet', **options), training=True, num_stages=4)


@pytest.mark.parametrize('kind', TINY)
def test_shapes_leave_no_trace(kind):
    if kind == 'CSPResNet':  # a deep stem has no max pooling
        assert_leaves_no_trace(StagedCSPNet, csp(kind, deep_stem=True), TINY[kind][1]['out_channels'], (2, 4, 8, 16))
    assert_leaves_no_trace(StagedCSPNet, csp(kind), TINY[kind][1]['out_channels'], STRIDES[kind])


@pytest.mark.parametrize('kind', TINY)
def test_an_expansion_trains_a_step(kind):
    assert_trains_a_step(*[csp(kind)] * 3)


def test_mixed_with_a_resnet():
    assert_trains_a_step(csp('CSPResNet'), resnet('mmpretrain'), csp('CSPDarkNet'))
