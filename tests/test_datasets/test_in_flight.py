import os
import re
import signal

import pytest
import torch
from mmengine.structures import BaseDataElement
from torch.utils.data import DataLoader

from xlearner_mm.datasets import InFlight, MultiSourceDataset, SampleKey, collate_by_source

pytestmark = pytest.mark.compat


def pack(info):
    return dict(inputs=torch.zeros(1), data_samples=BaseDataElement(metainfo=dict(pid=os.getpid())))


def die_at_three(info):
    if info['number'] == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return pack(info)


def make(numbers, pipeline, num_workers, batches):
    """A data set of two sources, and a loader of these (source, epoch, index) by batch."""
    sources = {s: numbers(8, [pipeline], serialize_data=False) for s in 'ab'}
    dataset = MultiSourceDataset({s: dict(task='cls', dataset=source) for s, source in sources.items()})
    dataset.in_flight = InFlight(list(dataset.sources), num_workers)
    keys = [[SampleKey(*key, 0) for key in batch] for batch in batches]
    return dataset, DataLoader(dataset, batch_sampler=keys, num_workers=num_workers, collate_fn=collate_by_source)


def take(loader, steps=1):
    """Take batches; workers that are left to the garbage collector hold it up for seconds."""
    iterator = iter(loader)
    try:
        return [next(iterator) for _ in range(steps)]
    finally:
        getattr(iterator, '_shutdown_workers', int)()


def killed(pid):
    return RuntimeError(f'DataLoader worker (pid {pid}) is killed by signal: Killed. ')


def test_a_worker_notes_what_it_loads(numbers):
    dataset, loader = make(numbers, pack, 1, [[('a', 0, 2), ('b', 7, 5)]])
    pid = take(loader)[0]['b']['data_samples'][0].pid
    assert pid != os.getpid()
    assert dataset.in_flight.explain(killed(pid)) == [(pid, 'b', 7, 5)]
    assert dataset.in_flight.explain(ConnectionResetError(), dead=[pid]) == [(pid, 'b', 7, 5)]
    assert dataset.in_flight.explain(ConnectionResetError()) == dataset.in_flight.explain(ValueError(), [pid]) == []


def test_each_worker_has_its_own_note(numbers):
    dataset, loader = make(numbers, pack, 2, [[('a', 0, 2)], [('b', 10**10, 4)]])
    first, second = [batch[s]['data_samples'][0].pid for s, batch in zip('ab', take(loader, 2), strict=True)]
    error = RuntimeError(f'DataLoader worker (pid(s) {second}, {first}) exited unexpectedly')
    assert sorted(dataset.in_flight.explain(error)) == sorted([(first, 'a', 0, 2), (second, 'b', 10**10, 4)])
    assert dataset.in_flight.explain(killed(second)) == [(second, 'b', 10**10, 4)]


def test_the_main_process_notes_nothing(numbers):
    dataset, loader = make(numbers, pack, 0, [[('a', 0, 2)]])
    take(loader)
    assert dataset.in_flight.explain(killed(os.getpid())) == []
    in_flight = InFlight(['a'], 1)
    in_flight.note(SampleKey('a', 0, 1, 0))
    assert in_flight.explain(killed(os.getpid())) == []


@pytest.mark.parametrize('error', [
    killed(10**6), RuntimeError('out of memory'), RuntimeError('pid 0'), RuntimeError('DataLoader timed out after 5 s'),
    KeyError('DataLoader')
])
def test_other_errors_are_not_explained(error):
    assert InFlight(['a'], 2).explain(error) == []


@pytest.mark.parametrize('num_workers', [1, 2])
def test_a_killed_worker_is_explained_from_the_error_of_the_loader(numbers, num_workers):
    batches = [[('a', 4, 0), ('b', 4, 1)], [('a', 4, 2), ('b', 4, 3), ('b', 4, 4)]]
    dataset, loader = make(numbers, die_at_three, num_workers, batches)
    with pytest.raises(RuntimeError, match='DataLoader worker') as caught:
        take(loader, 2)
    ((pid, *sample), ) = dataset.in_flight.explain(caught.value)
    assert sample == ['b', 4, 3] and str(pid) in re.findall(r'\d+', str(caught.value))
