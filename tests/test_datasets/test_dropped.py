import pytest
from mmengine.dataset import ClassBalancedDataset, ConcatDataset, RepeatDataset

from xlearner_mm.datasets import MultiSourceDataset, SampleError, SampleKey
from xlearner_mm.datasets.dropped import is_dropped, tell_dropped

pytestmark = pytest.mark.compat


def drop_odd(keep):
    """A pipeline of one function that drops every odd number; ``keep`` is what follows it."""
    return [lambda info: keep(info) if info['number'] % 2 == 0 else None]


@pytest.fixture
def odd_dropped(numbers):
    """Makes data sets whose odd samples are dropped."""

    class OddDropped(numbers):

        def get_cat_ids(self, idx):
            return [idx % 3]

    pack = numbers(1, serialize_data=False).pipeline.transforms[0]
    # Serialising collects garbage, which takes its time.
    return lambda size, **kwargs: OddDropped(size, drop_odd(pack), serialize_data=False, **kwargs)


def nest(datasets):
    inner = dict(type='ConcatDataset', datasets=datasets)
    return RepeatDataset(dict(type='RepeatDataset', dataset=inner, times=2), times=1)


def wrap(kind, make):
    return dict(
        plain=lambda: make(6),
        lazy=lambda: make(6, lazy_init=True),
        repeated=lambda: RepeatDataset(make(3), times=2),
        joined=lambda: ConcatDataset([make(2), make(4)]),
        balanced=lambda: ClassBalancedDataset(make(6), oversample_thr=1e-3),
        nested=lambda: nest([make(2), make(1)]))[kind]()


KINDS = ['plain', 'lazy', 'repeated', 'joined', 'balanced', 'nested']


@pytest.mark.parametrize('kind', KINDS)
def test_stock_data_sets_tell(odd_dropped, kind):
    dataset = wrap(kind, odd_dropped)
    tell_dropped(dataset)
    dataset.full_init()
    assert len(dataset) == 6
    assert dataset[0]['data_samples'].number == 0
    with pytest.raises(Exception, match='Cannot find valid image') as caught:
        dataset[1]
    assert is_dropped(caught.value)


@pytest.mark.parametrize('kind', KINDS)
def test_the_next_sample_stands_in_and_it_is_told(odd_dropped, kind):
    dataset = MultiSourceDataset(dict(a=dict(task='cls', dataset=wrap(kind, odd_dropped))))
    sample = dataset[SampleKey('a', 0, 1, 0)]['data_samples']
    assert sample.dropped == (1, ) and 'skipped' not in sample
    assert sample.number == dataset[SampleKey('a', 0, 2, 0)]['data_samples'].number
    assert 'dropped' not in dataset[SampleKey('a', 0, 2, 0)]['data_samples']


def test_a_wrapper_from_a_config():
    inner = dict(type='Numbers', size=3, pipeline=[lambda info: None])
    dataset = MultiSourceDataset(
        dict(a=dict(task='cls', dataset=dict(type='ConcatDataset', datasets=[inner, dict(inner, size=2)]))))
    with pytest.raises(SampleError, match='none of 5 samples in a row.* from index 4 on; 0 of them failed'):
        dataset[SampleKey('a', 0, 4, 0)]


def test_other_data_sets_are_left_alone():
    for dataset in (range(3), [1], object()):
        tell_dropped(dataset)


@pytest.mark.parametrize('error', [
    ValueError('Cannot find valid image after 0! Please'), Exception('Cannot find valid image after 1000! Please'),
    Exception('something else'), SampleError('Cannot find valid image after 0!')
])
def test_other_errors_are_no_drops(error):
    assert not is_dropped(error)
