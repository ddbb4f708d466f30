import os
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
from PIL import Image

import tiny
import toy
from xlearner_mm.datasets import MultiSourceDataset
from xlearner_mm.tools import describe

pytestmark = pytest.mark.compat

ROOT = Path(__file__).parents[2]


@pytest.fixture
def config(toy_data, tmp_path):
    path = tmp_path / 'mine.py'
    toy.config(toy_data, tmp_path / 'run').dump(path)
    return path


def run(monkeypatch, config, *arguments):
    monkeypatch.setattr(sys, 'argv', ['describe.py', *map(str, (config, *arguments))])
    describe.main()


def fail(monkeypatch, config, *arguments):
    with pytest.raises(SystemExit) as stop:
        run(monkeypatch, config, *arguments)
    assert isinstance(stop.value.code, str)  # python prints it to stderr and exits with 1
    return stop.value.code


def row(printed, *starts):
    """Rest of the line that starts so."""
    (found, ) = (line.split() for line in printed.splitlines() if line.split()[:len(starts)] == list(starts))
    return found[len(starts):]


def test_the_model_is_described_without_data(config, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(MultiSourceDataset, '__init__', None)  # no data is read
    run(monkeypatch, config, '--size', 64)
    printed = capsys.readouterr().out
    assert row(printed, 'sub-backbone', 'seg')[:5] == ['mmseg.ResNet', '8/4', '16/8', '32/16', '64/32']
    assert row(printed, 'links', 'cls') == ['12', 'links', 'from', 'det,', 'seg', '13,248', '0.000758']
    assert row(printed, 'branch', 'boxes', 'det')[:2] == ['mmdet.FCOS', '4,354']
    assert row(printed, 'student', 'all')[-2:] == ['176,712', '0.00673']
    assert row(printed, 'of', 'the', 'exported', 'student') == ['176,712']
    assert 'wrote' not in printed and not (tmp_path / 'run').exists() and not list(tmp_path.glob('*.png'))


def test_height_and_width_and_the_options_count(config, monkeypatch, capsys):
    for arguments in (['64'], ['64', '128'], ['64', '--cfg-options', 'model.backbone.reconciliation.stages=()']):
        run(monkeypatch, config, '--size', *arguments)
    square, wide, unlinked = capsys.readouterr().out.split('GFLOPs of one image')[1:]
    costs = [float(row(told, 'sub-backbone', 'det')[-1]) for told in (square, wide, unlinked)]
    assert costs[1] == pytest.approx(2 * costs[0], rel=0.01) and costs[2] == costs[0]
    assert 'auxiliary passes' in square and ' of 64×128 ' in wide and 'links' not in unlinked


@pytest.mark.parametrize('name', ['a.png', 'new/a.SVG'])
def test_the_picture_is_written(name, config, tmp_path, monkeypatch, capsys):
    out = tmp_path / name
    run(monkeypatch, config, '--size', 64, '--out', out)
    assert capsys.readouterr().out.splitlines()[-1] == f'wrote {out}'
    if out.suffix == '.png':
        assert min(Image.open(out).size) > 800
    else:
        assert ElementTree.parse(out).getroot().tag.endswith('svg')


def test_hard_sharing(config, tmp_path, monkeypatch, capsys):
    cfg = toy.Config.fromfile(config)
    cfg.model = tiny.xlearner(squeeze=False, expanded=False)
    cfg.dump(tmp_path / 'shared.py')
    run(monkeypatch, tmp_path / 'shared.py', '--size', 64, '--out', tmp_path / 'a.svg')
    printed = capsys.readouterr().out
    assert row(printed, 'backbone', 'all')[0] == 'mmdet.ResNet' and row(printed, 'trained') == ['191,121']
    assert (tmp_path / 'a.svg').exists()


@pytest.mark.parametrize('arguments, message', [
    (['--out', 'a.jpg'], '--out a.jpg must end in .png or .svg: a PNG or an SVG is written.'),
    (['--out', 'svg'], '--out svg must end in .png or .svg'),
    (['--size', '0'], '--size 0 is too small for a backbone; give 32 or more.'),
    (['--size', '64', '-64'], '--size 64 -64 is too small'),
    (['--size', '64', '64', '3'], '--size 64 64 3 must be one number, or height and width.'),
    (['--cfg-options', 'model=None'], 'mine.py has no X-Learner model to describe, its model is None. Give the config'),
    (['--cfg-options', 'model.backbone.reconciliation.stages=(0,9)'], 'names a stage that the sub-backbone of task'),
    (['--cfg-options', 'model.type=xlearner_mm.NoLearner'], 'NoLearner'),
])
def test_a_users_error_is_told_in_a_line(arguments, message, config, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    told = fail(monkeypatch, config, *arguments)
    assert told.startswith('describe failed: ') and message in told
    assert not [path for path in tmp_path.iterdir() if path.name in ('a.jpg', 'svg')]


def test_the_config_of_another_model(tmp_path, monkeypatch):
    toy.Config(dict(model=tiny.classifier())).dump(tmp_path / 'other.py')
    told = fail(monkeypatch, tmp_path / 'other.py')
    assert "its model is of type 'mmpretrain.ImageClassifier'. Give the config of an X-Learner run" in told


def test_another_model_with_branches(config, monkeypatch):
    class Other:
        def __init__(self, **_):
            pass

    from xlearner_mm.registry import MODELS
    monkeypatch.setitem(MODELS._module_dict, 'OtherModel', Other)
    told = fail(monkeypatch, config, '--cfg-options', 'model.type=xlearner_mm.OtherModel')
    assert 'mine.py is a Other. Give the config of an X-Learner run' in told


def test_a_config_that_is_not_there(tmp_path, monkeypatch):
    assert 'no.py does not exist, and none of that name is installed with' in fail(monkeypatch, tmp_path / 'no.py')


def test_as_a_command_it_exits_with_1_and_without_a_traceback(config, tmp_path):
    env = dict(os.environ, PYTHONPATH=str(ROOT), OMP_NUM_THREADS='1')
    done = subprocess.run([sys.executable, str(ROOT / 'xlearner_mm/tools/describe.py'), str(config), '--size', '1'],
                          env=env, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.returncode == 1 and 'Traceback' not in done.stderr
    assert done.stderr.splitlines()[-1] == 'describe failed: --size 1 is too small for a backbone; give 32 or more.'
