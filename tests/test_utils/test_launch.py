import pytest
import torch

from xlearner_mm.utils import init_cpu_distributed, launch

ENVIRONMENT = dict(RANK='0', WORLD_SIZE='2', MASTER_ADDR='localhost', MASTER_PORT='1')


@pytest.fixture
def started(monkeypatch):
    backends = []
    monkeypatch.setattr(launch.dist, 'init_process_group', backends.append)
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: False)
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    return backends


def test_gloo_on_a_cpu(started):
    init_cpu_distributed('pytorch')
    assert started == ['gloo']


def test_nothing_for_one_process_or_with_gpus(started, monkeypatch):
    init_cpu_distributed('none')
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: True)
    init_cpu_distributed('pytorch')
    init_cpu_distributed('slurm')
    assert started == []


def test_what_cannot_start_is_refused(started, monkeypatch):
    with pytest.raises(ValueError, match='--launcher slurm needs GPUs.*--launcher pytorch'):
        init_cpu_distributed('slurm')
    monkeypatch.delenv('MASTER_PORT')
    with pytest.raises(ValueError, match='needs the environment variables MASTER_PORT: .*torchrun'):
        init_cpu_distributed('pytorch')
    assert started == []
