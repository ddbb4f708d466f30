import json

import pytest

from xlearner_mm.downstream import Result, markdown, read_results, write_results

pytestmark = pytest.mark.compat

RESULTS = [Result('full', 'dtd', 'top1', 'ours', 0, 70.0), Result('full', 'dtd', 'top1', 'ours', 1, 72.0),
           Result('full', 'dtd', 'top1', 'scratch', 0, 20.0), Result('full', 'dtd', 'top1', 'scratch', 1, 20.0),
           Result('full', 'voc', 'mAP', 'ours', 0, 80.0), Result('low_data', 'dtd', 'top1', 'ours', 0, 50.0)]


def test_a_table_a_variant_with_means_over_seeds_and_sets():
    text = markdown(RESULTS)
    full, low = text.split('10 % of the training data')
    assert 'All training data, percent, 2 seeds:' in full and 'frozen backbone, percent, 1 seed:' in low
    assert '| dtd | top1 | 71.0 ± 1.4 | 20.0 ± 0.0 |' in full
    assert '| voc | mAP | 80.0 | – |' in full
    assert '| mean | | 75.5 | – |' in full, 'a backbone that lacks a set has no mean'
    assert '| dtd | top1 | 50.0 |' in low and 'mean' not in low


def test_what_is_written_is_read_again(tmp_path):
    paths = write_results(RESULTS, tmp_path / 'out')
    assert [p.name for p in paths] == ['results.json', 'results.md']
    assert read_results(paths[0]) == RESULTS and paths[1].read_text() == markdown(RESULTS)
    assert json.loads(paths[0].read_text())[0] == dict(
        variant='full', set='dtd', metric='top1', backbone='ours', seed=0, percent=70.0)
