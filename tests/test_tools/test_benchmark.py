import json
import socket
import sys
import time

import pytest
import torch

import tiny
import toy
from xlearner_mm.tools import benchmark

pytestmark = pytest.mark.compat

SOURCES = ['boxes', 'maps', 'photos']
QUICK = ['--steps', '2', '--warmup', '1']


@pytest.fixture
def config(toy_data, tmp_path):
    path = tmp_path / 'mine.py'
    toy.config(toy_data, tmp_path / 'run').dump(path)
    return path


@pytest.fixture
def run(config, tmp_path, monkeypatch, capsys):
    """Run the tool; gives its JSON and what it printed."""

    def _run(*options, path=config):
        toy.clear_mmengine()
        out = tmp_path / 'out/measured.json'
        monkeypatch.setattr(sys, 'argv', ['benchmark.py', str(path), *QUICK, '--json', str(out), *options])
        benchmark.main()
        return json.loads(out.read_text()), capsys.readouterr().out

    return _run


def fail(monkeypatch, *arguments):
    monkeypatch.setattr(sys, 'argv', ['benchmark.py', *map(str, arguments)])
    with pytest.raises(SystemExit) as stop:
        benchmark.main()
    assert isinstance(stop.value.code, str)  # python prints it to stderr and exits with 1
    return stop.value.code


def test_an_expansion_against_its_stock_models(run, tmp_path):
    found, printed = run()
    assert list(found) == ['config', 'phase', 'steps', 'warmup', 'sources', 'environment', 'notes', 'memory', 'joint',
                           'stock', 'cfg_options']
    assert (found['phase'], found['steps'], found['sources']) == ('expansion', 2, SOURCES)
    joint, stock, memory = found['joint'], found['stock'], found['memory']
    assert joint['images_per_step'] == dict.fromkeys(SOURCES, 2) and set(joint['images_per_second']) == set(SOURCES)
    assert all(set(parts) == {'forward', 'backward'} for parts in joint['sources'].values())
    assert set(joint['parts']) == {'forward', 'backward', 'reduce', 'optimizer', 'other'}
    assert sum(joint['shares'].values()) == pytest.approx(1) and min(joint['shares'].values()) >= 0
    assert joint['shares']['other'] < 0.5 and min(joint['parts'].values()) >= 0
    assert len(joint['raw']['step']) == len(joint['raw']['data']) == len(joint['raw']['parts']['backward']) == 2
    assert set(stock['step']) == set(stock['images_per_second']) == set(SOURCES) and stock['ratio'] > 0
    assert len(stock['raw']['ratio']) == 2 and all(len(steps) == 2 for steps in stock['raw']['stock'].values())
    assert memory['how'] == 'tensors on the CPU, torch.profiler'
    assert min(memory['joint'], *memory['stock'].values()) > 600_000  # parameters of a tiny model alone
    assert 'auxiliary passes' in printed and 'Joint step in ratio' in printed and 'Peak memory of the joint' in printed
    assert found['environment']['device'] == 'cpu' and 'torch 2' in found['environment']['versions']['torch']
    assert not (tmp_path / 'run').exists()  # nothing but the JSON is written
    lines = printed.splitlines()
    (boxes, ) = (line.split() for line in lines if line.split()[:1] == ['boxes'])
    assert len(boxes) == 8 and boxes[1] == '2'


def test_the_squeeze_has_its_own_optimizer_and_the_student(run):
    found, printed = run('--phase', 'squeeze')
    assert found['phase'] == 'squeeze' and "frozen teachers' passes" in printed and set(found['stock']['step']) == set(
        SOURCES)


def test_some_sources_without_stock_models(run, monkeypatch):
    threads = []
    monkeypatch.setattr(torch, 'set_num_threads', threads.append)
    found, printed = run('--sources', 'maps', 'photos', '--no-stock', '--threads', '2', '--cfg-options',
                         'train_dataloader.batch_size.maps=3')
    assert threads == [2]
    assert found['sources'] == ['maps', 'photos'] and found['joint']['images_per_step'] == dict(maps=3, photos=2)
    assert found['stock'] is None and found['memory']['stock'] == {} and 'stock' not in printed.split('Peak')[0]
    assert 'boxes' not in printed and found['cfg_options'] == {'train_dataloader.batch_size.maps': 3}


def test_hard_sharing_has_no_note(run, config, tmp_path):
    cfg = toy.Config.fromfile(config)
    cfg.model = tiny.xlearner(squeeze=False, expanded=False)
    cfg.dump(tmp_path / 'shared.py')
    found, printed = run('--steps', '3', path=tmp_path / 'shared.py')
    assert found['notes'] == [] and len(found['joint']['raw']['step']) == 3 and 'auxiliary' not in printed


def test_a_source_a_step(run):
    found, _ = run('--steps', '6', '--cfg-options', 'train_dataloader.batch_sampler.schedule=alternate',
                   'train_dataloader.batch_sampler.ratios=equal')
    joint, stock = found['joint'], found['stock']
    assert all(list(images.values()) == [2] for images in joint['raw']['images'])
    assert sum(joint['images_per_step'].values()) == pytest.approx(2) and len(joint['raw']['images']) == 6
    assert sum(map(len, stock['raw']['stock'].values())) == 6 and len(stock['step']) > 1
    assert None not in found['memory']['stock'].values()


@pytest.mark.parametrize('arguments, message', [
    (['--steps', '0'], '--steps 0 measures nothing; give 1 or more.'),
    (['--warmup', '-1'], '--warmup -1 must not be negative.'),
    (['--threads', '0'], '--threads 0 must be 1 or more.'),
    (['--json', '.'], '--json . is a folder; give a file.'),
    (['--sources', 'photo'], '--sources photo: the config has no such source; it has boxes, maps, photos.'),
    (['--phase', 'squeeze', '--cfg-options', 'custom_hooks=[]'], 'no ExpansionSqueezeHook in custom_hooks'),
    (['--phase', 'squeeze', '--cfg-options', 'model.squeeze=None'], '--phase squeeze: the model of'),
    (['--cfg-options', 'optim_wrapper=None'], 'has no optim_wrapper, so there is no train step to measure'),
    (['--cfg-options', 'optim_wrapper.type=AmpOptimWrapper'], 'optim_wrapper cannot be built here'),
    (['--cfg-options', 'train_dataloader=None'], 'has no train_dataloader.dataset.sources to draw from'),
    (['--cfg-options', 'model=None'], 'has no model. Give the config of an X-Learner run'),
    (['--launcher', 'slurm'], '--launcher slurm needs GPUs'),
])
def test_a_users_error_is_told_in_a_line(arguments, message, config, monkeypatch):
    told = fail(monkeypatch, config, *arguments)
    assert told.startswith('benchmark failed: ') and message in told and '\n' not in told


def test_a_process_of_several_tells_what_it_reduces(run, monkeypatch):
    with socket.socket() as free:
        free.bind(('localhost', 0))
        port = free.getsockname()[1]
    for name, value in dict(RANK=0, WORLD_SIZE=1, MASTER_ADDR='localhost', MASTER_PORT=port).items():
        monkeypatch.setenv(name, str(value))
    try:
        found, printed = run('--launcher', 'pytorch')
    finally:
        time.sleep(0.1)  # threads of gloo may still need the GIL, which torch 2.1 does not let go of while it closes
        torch.distributed.destroy_process_group()
    assert found['joint']['reduced_bytes'] > 600_000 and found['joint']['parts']['reduce'] > 0
    assert found['stock'] is None and 'Gradients averaged over the ranks: ' in printed
    assert found['memory']['joint'] > 600_000
    assert 'Stock models are not measured with several processes.' in printed
