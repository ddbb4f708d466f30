import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from mmengine.registry import MODELS
from mmengine.visualization import Visualizer
from PIL import Image

import toy
from xlearner_mm import visualization
from xlearner_mm.tools import browse_sources

pytestmark = pytest.mark.compat

ROOT = Path(__file__).parents[2]


@pytest.fixture
def config(toy_data, tmp_path):
    path = tmp_path / 'mine.py'
    toy.config(toy_data, tmp_path / 'run').dump(path)
    return path


@pytest.fixture
def sheets(monkeypatch):
    """Arguments of each contact sheet that is drawn."""
    calls, draw = [], visualization.contact_sheet
    monkeypatch.setattr(visualization, 'contact_sheet', lambda *args: calls.append(args) or draw(*args))
    return calls


def run(monkeypatch, config, *arguments):
    monkeypatch.setattr(sys, 'argv', ['browse_sources.py', *map(str, (config, *arguments))])
    browse_sources.main()


def fail(monkeypatch, config, *arguments):
    with pytest.raises(SystemExit) as stop:
        run(monkeypatch, config, *arguments)
    assert isinstance(stop.value.code, str)  # python prints it to stderr and exits with 1
    return stop.value.code


def test_a_row_for_each_source(config, tmp_path, monkeypatch, capsys, sheets):
    monkeypatch.setattr(MODELS, 'build', None)  # no model is needed
    out = tmp_path / 'sheet.png'
    run(monkeypatch, config, '--out', out, '--columns', 3)
    assert capsys.readouterr().out.splitlines()[-1] == f'wrote {out}: 3 sources, 9 images'
    picture = np.asarray(Image.open(out))
    assert picture.shape[1] == 2 * 28 + 3 * 256 + 2 * 12 and 3 * 256 < picture.shape[0] < 3 * 256 + 500
    (rows, titles, heading, height), = sheets
    assert {source: len(images) for source, images in rows.items()} == dict(boxes=3, maps=3, photos=3)
    assert titles['boxes'] == 'boxes · det · mmdet.CocoDataset · 5 samples'
    assert (heading, height) == ('mine.py · expansion · epoch 0 · seed 5', 256)
    assert not Visualizer._instance_dict and not (tmp_path / 'run').exists()


def test_chosen_sources_in_their_order_and_a_later_epoch(config, tmp_path, monkeypatch, capsys, sheets):
    run(monkeypatch, config, '--out', tmp_path / 'new' / 'a.png', '--columns', 1, '--sources', 'photos', 'boxes',
        '--epoch', 3)
    assert capsys.readouterr().out.endswith('a.png: 2 sources, 2 images\n')
    rows = sheets[0][0]
    assert list(rows) == ['photos', 'boxes'] and rows['boxes'][0].caption[2].startswith('epoch 3 · index ')


def test_the_seed_and_the_options_are_the_runs(config, tmp_path, monkeypatch, sheets):
    args = '--out', tmp_path / 'a.png', '--columns', 3, '--sources', 'photos'
    for options in ([], ['--cfg-options', 'randomness.seed=6'], ['--cfg-options', 'randomness.seed=None']):
        run(monkeypatch, config, *args, *options)
    captions = [[image.caption for image in sheet[0]['photos']] for sheet in sheets]
    assert captions[0] != captions[1] and sheets[1][2].endswith('seed 6')
    assert sheets[2][2].endswith('(drawn: randomness.seed is not set)')


def test_the_squeeze_may_have_its_own_data(config, toy_data, tmp_path, monkeypatch, sheets):
    cfg = toy.config(toy_data, tmp_path / 'run')
    sources = dict(maps=cfg.train_dataloader.dataset.sources.maps)
    cfg.custom_hooks[0]['squeeze'] = dict(train_dataloader=dict(
        cfg.train_dataloader, batch_size=dict(maps=2), dataset=dict(cfg.train_dataloader.dataset, sources=sources)))
    squeezed = tmp_path / 'squeezed.py'
    cfg.dump(squeezed)
    args = '--out', tmp_path / 'a.png', '--columns', 1, '--phase', 'squeeze'
    run(monkeypatch, squeezed, *args)
    run(monkeypatch, config, *args)  # the expansion's, as in training
    assert [list(sheet[0]) for sheet in sheets] == [['maps'], ['boxes', 'maps', 'photos']]
    assert ' squeeze ' in sheets[0][2]
    message = fail(monkeypatch, config, *args, '--cfg-options', 'custom_hooks=None')
    assert 'has no ExpansionSqueezeHook in custom_hooks, so there is no squeeze with data. Leave' in message


@pytest.mark.parametrize('arguments, message', [
    (['--columns', '0'], '--columns 0 leaves no images; give 1 or more.'),
    (['--epoch', '-1'], '--epoch -1 must be 0 or more: epochs count from 0.'),
    (['--out', 'a.jpg'], '--out a.jpg must end in .png: a PNG is written.'),
    (['--sources', 'maps', 'coco'],
     '--sources coco: not among train_dataloader.dataset.sources, which has boxes, maps, photos.'),
    (['--cfg-options', 'train_dataloader.batch_sampler=None'], 'train_dataloader has no batch_sampler: set train_'),
    (['--cfg-options', 'train_dataloader.dataset.type=mmengine.ConcatDataset'], 'ConcatDataset'),
    (['--cfg-options', 'train_dataloader=None'], 'has no train_dataloader.dataset.sources to draw from'),
    (['--cfg-options', 'train_dataloader.dataset.sources.maps.dataset.data_root=nowhere'],
     "The data set of source 'maps' (type='mmseg.BaseSegDataset', data_root='nowhere'"),
])
def test_a_users_error_is_told_in_a_line(arguments, message, config, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    told = fail(monkeypatch, config, *arguments)
    assert told.startswith('browse_sources failed: ') and message in told
    assert not list(tmp_path.glob('*.png'))


def test_a_config_that_is_not_there(tmp_path, monkeypatch):
    assert 'no.py does not exist, and none of that name is installed with' in fail(monkeypatch, tmp_path / 'no.py')


def test_a_broken_image_is_named_and_no_sheet_is_left_behind(tmp_path, monkeypatch):
    data = toy.write_data(tmp_path / 'data')
    for path in (data / 'boxes/train').iterdir():
        path.write_bytes(path.read_bytes()[:100])
    toy.config(data, tmp_path / 'run').dump(tmp_path / 'mine.py')
    message = fail(monkeypatch, tmp_path / 'mine.py', '--out', tmp_path / 'a.png')
    assert "Source 'boxes': sample" in message and str(data / 'boxes/train') in message and 'Mend' in message
    assert not (tmp_path / 'a.png').exists()


def test_as_a_command_it_exits_with_1_and_without_a_traceback(config, tmp_path):
    env = dict(os.environ, PYTHONPATH=str(ROOT), OMP_NUM_THREADS='1')
    done = subprocess.run([sys.executable, str(ROOT / 'xlearner_mm/tools/browse_sources.py'), str(config), '--columns',
                           '0'], env=env, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.returncode == 1 and 'Traceback' not in done.stderr
    assert done.stderr.splitlines()[-1] == 'browse_sources failed: --columns 0 leaves no images; give 1 or more.'
