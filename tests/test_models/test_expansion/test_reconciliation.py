import pytest
import torch

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


def test_impossible_links_are_refused():
    with pytest.raises(ValueError, match=r"stages=\(0, 4\).*'cls'.*0 to 3"):
        Reconciliation(SHAPES, stages=(0, 4))
    dilated = dict(SHAPES, seg=[StageShape(4, 4), StageShape(4, 8), StageShape(4, 8), StageShape(4, 8)])
    with pytest.raises(ValueError, match=r"Stage 2 of 'cls' \(stride 16\).*'seg' \(stride 8\)"):
        Reconciliation(dilated)
