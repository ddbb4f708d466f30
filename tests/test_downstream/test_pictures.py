import pytest

from xlearner_mm.downstream import Result, bar_plot, radar_plot

pytestmark = pytest.mark.compat


def results(sets):
    return [Result('full', s, 'top1', backbone, seed, base + seed + 10 * i) for i, s in enumerate(sets)
            for backbone, base in (('ours', 50.0), ('scratch', 30.0)) for seed in (0, 1)]


def test_a_bar_for_each_set_and_backbone():
    axes = bar_plot(results('ab') + [Result('full', 'c', 'mAP', 'ours', 0, 80.0)]).axes[0]
    bars = [c for c in axes.containers if hasattr(c, 'datavalues') and hasattr(c, 'patches')]
    assert [list(b.datavalues) for b in bars] == [[50.5, 60.5, 80.0], [30.5, 40.5]]
    assert [t.get_text() for t in axes.get_xticklabels()] == ['a\ntop1', 'b\ntop1', 'c\nmAP']


def test_a_polygon_for_each_backbone_as_share_of_the_best():
    axes = radar_plot(results('abc')).axes[0]
    ours, scratch = (line.get_ydata() for line in axes.lines)
    assert len(ours) == 4 and ours[0] == ours[3] == 1.0
    assert scratch[1] == pytest.approx(40.5 / 60.5)
    assert axes.get_ylim()[0] < 30 / 51
    with pytest.raises(ValueError, match='at least three sets, got a, b'):
        radar_plot(results('ab'))
