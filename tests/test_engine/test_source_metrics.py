import pytest

from xlearner_mm.engine.source_metrics import SourceMetrics

pytestmark = pytest.mark.compat


def test_what_was_left_out_reads_as_none_and_is_not_in_it():
    metrics = SourceMetrics({'a/x': 1}, left_out=['b', 'score'])
    assert metrics['a/x'] == 1 and metrics['b/any/key'] is None and metrics['score'] is None
    assert 'b/any/key' not in metrics and metrics.get('b/any/key', 2) == 2 and dict(metrics) == {'a/x': 1}


@pytest.mark.parametrize('key', ['a/y', 'c/x', 'bb/x'])
def test_anything_else_is_named(key):
    with pytest.raises(KeyError, match=f"There is no metric '{key}'. This evaluation found a/x. Mend save_best"):
        SourceMetrics({'a/x': 1}, left_out=['b'])[key]
