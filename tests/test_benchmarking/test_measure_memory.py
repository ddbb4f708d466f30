from types import SimpleNamespace

import pytest
import torch

from xlearner_mm.benchmarking import measure_memory

pytestmark = pytest.mark.compat
MB = 2**20


class Side:
    """Takes as many MB in a step as its batch says."""

    def __init__(self):
        self.model = torch.nn.Linear(MB // 4, 1, bias=False)
        self.steps = []

    def step(self, batch):
        self.steps.append(batch)
        torch.ones(batch['mb'] * MB // 4)


def test_the_peak_of_the_steps_is_that_of_their_tensors():
    side = Side()
    for _ in range(2):  # what the first profile counted is not in the second
        found, how = measure_memory(side, [dict(mb=40), dict(mb=120), dict(mb=80)])
        assert found == 121 * MB and how == 'tensors on the CPU, torch.profiler'
    assert [step['mb'] for step in side.steps] == [40, 120, 80] * 2


def test_what_a_step_keeps_is_there_in_the_next():
    side = Side()
    kept = []
    side.step = lambda batch: kept.append(torch.ones(batch['mb'] * MB // 4))
    assert measure_memory(side, [dict(mb=3)])[0] == 1 * MB + 6 * MB  # a single batch is trained twice
    del kept[0]
    assert measure_memory(side, [dict(mb=1), dict(mb=1)])[0] == 1 * MB + 2 * MB


def test_batches_stay_as_they_are():
    side, batch = Side(), dict(mb=1)
    side.step = lambda given: given.pop('mb')
    measure_memory(side, [batch])
    assert batch == dict(mb=1)


def test_where_it_cannot_be_measured():
    side = Side()
    side.model.to('meta')
    assert measure_memory(side, [dict(mb=1)]) == (None, 'not measured on a device of type meta')
    assert side.steps == []


def test_a_gpu_counts_what_is_allocated(monkeypatch):
    side = Side()
    side.model = SimpleNamespace(
        parameters=lambda: iter([SimpleNamespace(device=SimpleNamespace(type='cuda'), numel=lambda: 10,
                                                 element_size=lambda: 4)]), buffers=lambda: iter(()))
    reset = []
    for name, value in dict(synchronize=None, reset_peak_memory_stats=None, memory_allocated=1000,
                            max_memory_allocated=1500).items():
        monkeypatch.setattr(torch.cuda, name, lambda name=name, value=value: reset.append(name) or value)
    assert measure_memory(side, [dict(mb=1)]) == (540, 'torch.cuda.max_memory_allocated')
    assert side.steps == [dict(mb=1)] * 2 and reset.index('reset_peak_memory_stats') < reset.index('memory_allocated')
