import copy

import pytest
from mmcv.transforms import Normalize
from mmengine.registry import MODELS

from tiny import classifier, detector, segmentor
from xlearner_mm.models import Phase
from xlearner_mm.preflight.normalisation_check import normalisation_findings
from xlearner_mm.utils import with_scope

pytestmark = pytest.mark.compat
STOCK = dict(photos=classifier, boxes=detector, maps=segmentor)


def set_preprocessors(net, **changes):
    """Give sources their stock preprocessor with other settings."""
    for source, change in changes.items():
        net.branches[source].data_preprocessor = MODELS.build(
            with_scope(dict(STOCK[source]()['data_preprocessor'], **change)))
    return net


@pytest.fixture
def sources(build, toy_data):
    return build(toy_data)[0].sources


@pytest.fixture
def check(model, sources):
    return lambda **changes: normalisation_findings(set_preprocessors(model(), **changes), sources)


def test_equal_normalisations_pass_whatever_library_they_are_of(check):
    assert check() == []
    assert check(photos=dict(to_rgb=True), boxes=dict(bgr_to_rgb=True), maps=dict(rgb_to_bgr=True)) == []


def test_both_values_are_told(check):
    (finding, ) = check(photos=dict(to_rgb=True, mean=[123.675, 116.28, 103.53]))
    assert finding.startswith(
        "Sources that share a backbone are normalised differently: 'photos': channels swapped (BGR to RGB), mean "
        "(123.675, 116.28, 103.53), std (127.5, 127.5, 127.5); 'boxes', 'maps': channels as loaded, mean (127.5, "
        '127.5, 127.5), std (127.5, 127.5, 127.5). ')
    assert 'Mend mean, std and bgr_to_rgb (in mmpretrain to_rgb) in model.branches.<source>' in finding


def test_only_the_order_of_the_channels_differs(check):
    (finding, ) = check(maps=dict(bgr_to_rgb=True))
    assert "'maps': channels swapped (BGR to RGB), mean (127.5" in finding


def test_without_mean_and_std(check):
    nothing = dict(mean=None, std=None)
    (finding, ) = check(boxes=nothing)
    assert "'boxes': channels as loaded, no mean and std. " in finding
    assert check(photos=nothing, boxes=nothing, maps=nothing) == []


def test_one_value_for_all_channels_is_the_same(check):
    assert check(boxes=dict(mean=[127.5], std=[127.5])) == []


@pytest.mark.parametrize('links, squeeze, plain, count', [
    (True, False, False, 1),  # links show every image to every sub-backbone
    (False, False, False, 0),
    (False, True, False, 1),  # the student sees all
    (False, False, True, 1),
])
def test_sources_share_by_links_squeeze_or_a_plain_backbone(links, squeeze, plain, count, model, sources):
    net = set_preprocessors(model(), maps=dict(mean=[0, 0, 0]))
    net.backbone.reconciliation.stages = (0, 1) if links else ()
    if not squeeze:
        net.squeeze = None
    if plain:
        net.backbone = net.backbone.sub_backbones['cls']
    assert len(normalisation_findings(net, sources)) == count


def test_without_links_and_squeeze_the_sources_of_a_task_share(model, sources):
    net = model()
    net.squeeze, net.backbone.reconciliation.stages = None, ()
    net.branches['others'], net._cfgs['others'] = copy.deepcopy(net.branches['photos']), net._cfgs['photos']
    set_preprocessors(net, photos=dict(mean=[1] * 3, std=[2] * 3), boxes=dict(bgr_to_rgb=True))
    (finding, ) = normalisation_findings(net, dict(sources, others=sources['photos']))
    assert "'photos': channels as loaded, mean (1, 1, 1), std (2, 2, 2); 'others': channels as loaded" in finding
    assert 'boxes' not in finding


@pytest.mark.parametrize('phase', list(Phase))
def test_a_branch_of_the_squeeze(phase, model, sources):
    net = model()
    net.squeeze.branches['photos'] = set_preprocessors(model(), photos=dict(to_rgb=True)).branches['photos']
    net.set_phase(phase)
    (finding, ) = normalisation_findings(net, sources)
    assert "'photos', 'boxes', 'maps': channels as loaded" in finding
    assert "'photos' in the squeeze: channels swapped" in finding


def test_the_pipeline_may_normalise_in_place_of_the_preprocessor(check, sources):
    sources['boxes'].pipeline.transforms.insert(-1, Normalize(mean=[10., 20., 30.], std=[2., 4., 8.], to_rgb=True))
    same, nothing = dict(mean=[10, 20, 30], std=[2, 4, 8]), dict(mean=None, std=None)
    assert check(photos=dict(same, to_rgb=True), maps=dict(same, bgr_to_rgb=True), boxes=nothing) == []


def test_pipeline_and_preprocessor_add_up(check, sources):
    sources['boxes'].pipeline.transforms.insert(-1, Normalize(mean=[10., 20., 30.], std=[2., 4., 8.], to_rgb=True))
    second = dict(mean=[-.5, -.5, .25], std=[2, 5, 10], bgr_to_rgb=True)
    # Swapped twice is not at all, and the second mean is in units of the first std: 30 - .5 * 8, ...
    both = dict(mean=[26, 18, 10.5], std=[16, 20, 20])
    assert check(photos=both, maps=both, boxes=second) == []
    assert len(check(photos=both, maps=both, boxes=dict(second, mean=[-.5, -.5, 0]))) == 1
