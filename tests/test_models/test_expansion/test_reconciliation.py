import pytest
import torch
import torch.nn.functional as F

from xlearner_mm.models import Reconciliation
from xlearner_mm.models.expansion import StageShape

pytestmark = pytest.mark.compat

SHAPES = dict(
    cls=[StageShape(4, 4), StageShape(6, 8), StageShape(8, 16), StageShape(10, 32)],
    det=[StageShape(2, 4), StageShape(3, 8), StageShape(4, 16), StageShape(5, 32)])


def test_links_of_the_paper():
    links = Reconciliation(SHAPES).links
    assert list(links) == ['cls', 'det'] and list(links['cls']) == ['det'] and list(links['det']) == ['cls']
    assert sorted(links['cls']['det']) == ['0_to_0', '0_to_1', '0_to_2', '1_to_1', '1_to_2', '2_to_2']
    link = links['cls']['det']['0_to_2']
    assert len(link.downsamples) == 2
    assert (link.projection.in_channels, link.projection.out_channels) == (2, 8)


def test_sum_lands_on_the_receiving_stage():
    reconciliation = Reconciliation(SHAPES, zero_init=False).eval()
    features = dict(det=[torch.randn(1, s.channels, 64 // s.stride, 64 // s.stride) for s in SHAPES['det'][:3]])
    x = torch.randn(1, 6, 8, 8)
    links = reconciliation.links['cls']['det']
    expected = x + links['0_to_1'](features['det'][0]) + links['1_to_1'](features['det'][1])
    torch.testing.assert_close(reconciliation('cls', features, 1, x), expected)
    last = torch.randn(1, 10, 2, 2)
    assert reconciliation('cls', features, 3, last) is last


def test_stages_decide_which_links_there_are():
    reconciliation = Reconciliation(SHAPES, stages=(2, 1))
    assert sorted(reconciliation.links['cls']['det']) == ['1_to_1', '1_to_2', '2_to_2']
    assert reconciliation.last_read == 2 and reconciliation.sources_of('cls') == ['det']
    none = Reconciliation(SHAPES, stages=())
    assert none.last_read == -1 and none.sources_of('cls') == []


def test_wirings():
    level = Reconciliation(SHAPES, wiring='same_level')
    assert sorted(level.links['cls']['det']) == ['0_to_0', '1_to_1', '2_to_2'] and level.last_read == 2
    features = dict(det=[torch.randn(1, s.channels, 64 // s.stride, 64 // s.stride) for s in SHAPES['det'][:3]])
    x = torch.randn(1, 6, 8, 8)
    level = Reconciliation(SHAPES, wiring='same_level', zero_init=False).eval()
    expected = x + level.links['cls']['det']['1_to_1'](features['det'][1])
    torch.testing.assert_close(level('cls', features, 1, x), expected)
    none = Reconciliation(SHAPES, wiring='none')
    assert none.last_read == -1 and none.sources_of('cls') == [] and not list(none.parameters())


def test_a_finer_receiver_gets_an_interpolated_map():
    dilated = dict(SHAPES, seg=[StageShape(4, 4), StageShape(5, 8), StageShape(7, 8), StageShape(4, 8)])
    reconciliation = Reconciliation(dilated, zero_init=False).eval()
    link = reconciliation.links['seg']['cls']['2_to_2']
    assert len(link.downsamples) == 0 and len(reconciliation.links['cls']['seg']['2_to_2'].downsamples) == 1
    coarse = torch.randn(1, 8, 4, 4)
    plain = link(coarse)
    assert plain.shape == (1, 7, 4, 4)
    expected = F.interpolate(plain, (8, 8), mode='bilinear', align_corners=False)
    assert torch.equal(link(coarse, (8, 8)), expected)
    features = {task: [torch.randn(1, s.channels, 64 // s.stride, 64 // s.stride) for s in dilated[task]]
                for task in ('cls', 'det')}
    assert reconciliation('seg', features, 2, torch.zeros(1, 7, 8, 8)).shape == (1, 7, 8, 8)


def test_other_rounding_of_odd_sizes_is_evened_out():
    link = Reconciliation(SHAPES, zero_init=False).eval().links['cls']['det']['0_to_1']
    assert link(torch.randn(1, 2, 17, 17)).shape[-1] == 9  # ceil; a net of patches rounds down
    assert link(torch.randn(1, 2, 17, 17), (8, 8)).shape == (1, 6, 8, 8)


def test_strides_that_are_no_power_of_two_are_brought_near():
    shapes = dict(a=[StageShape(4, 14)], b=[StageShape(6, 4)])
    links = Reconciliation(shapes, stages=(0, )).links
    assert len(links['a']['b']['0_to_0'].downsamples) == 2 and len(links['b']['a']['0_to_0'].downsamples) == 0


def test_stages_and_wirings_that_do_not_exist_are_refused():
    with pytest.raises(ValueError, match=r"stages=\(0, 4\).*'cls'.*0 to 3"):
        Reconciliation(SHAPES, stages=(0, 4))
    with pytest.raises(ValueError, match="wiring='all' must be one of paper, same_level, none"):
        Reconciliation(SHAPES, wiring='all')
