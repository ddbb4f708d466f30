import sys
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


@pytest.mark.skipif(sys.platform != 'linux', reason='needs /proc')
def test_the_peak_of_the_steps_is_measured_in_a_fork():
    side = Side()
    held = [torch.ones(2**15) for _ in range(2000)]  # 250 MB below the size that is given back at once
    last = torch.ones(2**10)
    del held
    found, how = measure_memory(side, [dict(mb=40), dict(mb=120), dict(mb=80)])
    assert last.sum() == 2**10
    assert found == pytest.approx(121 * MB, abs=8 * MB) and 'fork' in how
    assert side.steps == []  # nothing happened to the model of this process


def test_an_error_in_the_fork_is_told():
    assert measure_memory(Side(), [dict(gb=1)]) == (None, "not measured: 'mb'")


def test_where_it_cannot_be_measured(monkeypatch):
    monkeypatch.setattr(sys, 'platform', 'darwin')
    found, how = measure_memory(Side(), [dict(mb=1)])
    assert found is None and how.startswith('not measured on this platform')


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
