import pytest
from mmengine.structures import BaseDataElement

from xlearner_mm.datasets import SampleError
from xlearner_mm.engine.skip_counter import SkipCounter

pytestmark = pytest.mark.compat


def batch(**passed):
    samples = [BaseDataElement(metainfo=passed), BaseDataElement()]
    return dict(coco=dict(data_samples=samples), ade=dict(data_samples=[BaseDataElement()]))


def test_counts_add_up_by_source_and_reason():
    counter = SkipCounter(dict(coco=0.5, ade=0.5))
    counter.count(batch(), dict(coco=2, ade=1))
    assert counter.counts == {}
    counter.count(batch(skipped=(3, 4), dropped=(5, )), dict(coco=4, ade=2))
    counter.count(batch(dropped=(1, )), dict(coco=6, ade=3))
    assert counter.counts == dict(coco=dict(skipped=2, dropped=2))


def test_too_many_skipped_stop_the_run():
    counter = SkipCounter(dict(coco=0.01, ade=0.01))
    for step in range(10):
        counter.count(batch(skipped=(step, )), dict(coco=2, ade=1))  # so many are let through at the beginning
    counter.count(batch(skipped=(10, )), dict(coco=1100, ade=1))  # one in a hundred
    with pytest.raises(SampleError, match=(
            "Source 'coco': of 1150 samples so far 12 could not be loaded and were skipped, 0 were dropped by the "
            r'pipeline\. That is more than max_skip_share=0\.01 allows.*raise max_skip_share in '
            r'train_dataloader\.dataset\.sources\.coco')):
        counter.count(batch(skipped=(11, )), dict(coco=1150, ade=1))


def test_dropped_samples_do_not_stop_the_run():
    counter = SkipCounter(dict(coco=0.0, ade=0.0))
    counter.count(batch(dropped=tuple(range(50))), dict(coco=2, ade=1))
    assert counter.counts == dict(coco=dict(skipped=0, dropped=50))


def test_counts_go_on_from_a_checkpoint():
    counter = SkipCounter(dict(coco=0.0, ade=0.0))
    counter.counts = dict(coco=dict(skipped=10, dropped=0))
    with pytest.raises(SampleError, match='so far 11 could not be loaded'):
        counter.count(batch(skipped=(1, )), dict(coco=2, ade=1))
