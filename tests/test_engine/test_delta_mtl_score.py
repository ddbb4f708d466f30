import pytest

from xlearner_mm.engine.delta_mtl_score import DeltaMTLScore
from xlearner_mm.engine.source_metrics import SourceMetrics

pytestmark = pytest.mark.compat

BASELINES = {'maps/mIoU': 40.0, 'depth/rmse': 0.5}


def test_scores_what_has_a_baseline():
    metrics = SourceMetrics({'maps/mIoU': 42.0, 'depth/rmse': 0.4, 'maps/aAcc': 90.0})
    DeltaMTLScore(['maps', 'depth'], BASELINES, ['depth/rmse']).add_to(metrics)
    assert metrics['delta_mtl'] == pytest.approx((5 + 20) / 2)


def test_none_where_a_source_that_counts_was_left_out():
    score = DeltaMTLScore(['maps', 'depth', 'photos'], BASELINES)
    metrics = SourceMetrics({'maps/mIoU': 42.0}, left_out=['depth'])
    score.add_to(metrics)
    assert 'delta_mtl' not in metrics and metrics['delta_mtl'] is None
    metrics = SourceMetrics({'maps/mIoU': 42.0, 'depth/rmse': 0.5}, left_out=['photos'])
    score.add_to(metrics)
    assert metrics['delta_mtl'] == pytest.approx(2.5)


def test_a_metric_that_is_missing_from_an_evaluated_source_is_named():
    with pytest.raises(ValueError, match='The metrics lack depth/rmse.*they have maps/mIoU, depth/abs_rel'):
        DeltaMTLScore(['maps', 'depth'], BASELINES).add_to(SourceMetrics({'maps/mIoU': 42.0, 'depth/abs_rel': 1}))


@pytest.mark.parametrize('arguments, message', [
    (dict(baselines={'map/mIoU': 40.0}), 'baselines has map/mIoU, which begin with none of the evaluated sources maps'),
    (dict(baselines={'maps/mIoU': 0.0}), 'The baseline of maps/mIoU is 0'),
    (dict(baselines={'maps/mIoU': 40.0}, lower_is_better=['maps/aAcc']), 'lower_is_better names maps/aAcc'),
])
def test_mistakes_are_found_before_the_first_evaluation(arguments, message):
    with pytest.raises(ValueError, match=message):
        DeltaMTLScore(['maps'], **arguments)
