"""Every config that is shipped runs: in a fresh process, outside of the repository, with tiny data in its formats."""

import json
import os
import re
import subprocess
import sys
from collections import Counter
from functools import cache
from pathlib import Path

import pytest
import yaml
from mmengine.config import Config

import xlearner_mm  # noqa: F401  makes `xlearner_mm::` known

pytestmark = pytest.mark.compat

ROOT = Path(__file__).resolve().parents[2]
RECIPES = sorted(path for folder in ('xlearner', 'baselines') for path in (ROOT / 'configs' / folder).glob('*.py'))
PROJECTS = sorted(ROOT.glob('projects/*/configs/*.py'))
BACKBONES = {'convnext-t', 'resnet18', 'resnet50', 'swin-t'}
SOURCES = {'imagenet1k', 'places365', 'inaturalist2021', 'coco', 'objects365', 'ade20k', 'coco_stuff'}


def ids(path):
    return path.stem


@cache
def load(path):
    return Config.fromfile(path, import_custom_modules=False)


@pytest.fixture(scope='module')
def results(tmp_path_factory):
    """What became of each config, by path."""
    folder = tmp_path_factory.mktemp('recipes')
    paths = [ROOT, *(path for path in ROOT.glob('projects/*') if path.is_dir())]
    env = {**os.environ, 'PYTHONPATH': os.pathsep.join(map(str, paths)), 'OMP_NUM_THREADS': '1'}
    command = [sys.executable, str(Path(__file__).with_name('run_recipes.py')), 'results.json',
               *map(str, RECIPES + PROJECTS)]
    run = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    return json.loads((folder / 'results.json').read_text())


@pytest.mark.parametrize('path', RECIPES + PROJECTS, ids=ids)
def test_a_config_trains_a_step_of_each_phase_and_predicts_every_source(path, results):
    result = results[str(path)]
    assert 'error' not in result, result['error']
    cfg = load(path)
    if 'branches' not in cfg.model:  # a stock model
        assert result['predicted'] == [''] and result['iterations'] == 1 and 'backbone' in result['trained']
        return
    has_squeeze = 'squeeze' in cfg.model
    assert set(result['predicted']) == set(cfg.model.branches)
    assert result['squeezes'] is has_squeeze and result['iterations'] == 1 + has_squeeze
    assert set(result['trained']) == {'backbone', 'branches', *(['squeeze'] if has_squeeze else [])}


def test_there_is_an_expansion_and_a_baseline_of_hard_sharing_for_every_backbone():
    for kind in ('xlearner', 'hard_sharing'):
        recipes = {path.stem: load(path) for path in RECIPES if path.stem.startswith(kind)}
        assert {name.removeprefix(f'{kind}_').split('_')[0] for name in recipes} == BACKBONES
        assert all(set(cfg.model.branches) == SOURCES for cfg in recipes.values())
        assert all(('squeeze' in cfg.model) is (kind == 'xlearner') for cfg in recipes.values())


def test_the_baselines_of_one_task_and_of_one_source_are_complete():
    by_name = {path.stem: load(path) for path in RECIPES if path.stem.startswith('single')}
    tasks = {'cls': {'imagenet1k', 'places365', 'inaturalist2021'}, 'det': {'coco', 'objects365'},
             'seg': {'ade20k', 'coco_stuff'}}
    expected = {f'single_task_{task}': sources for task, sources in tasks.items()}
    expected |= {f'single_source_{source}': {source} for source in SOURCES}
    assert {name.split('_resnet50')[0]: set(cfg.model.branches) for name, cfg in by_name.items()} == expected


@pytest.mark.parametrize('path', RECIPES, ids=ids)
def test_a_recipe_agrees_with_itself(path):
    cfg = load(path)
    sources = cfg.train_dataloader.dataset['sources']
    for part in (cfg.train_dataloader.batch_size, cfg.val_dataloader, cfg.val_evaluator, cfg.model.branches):
        assert list(part) == list(sources)
    assert {s: part.task for s, part in sources.items()} == {s: b.task for s, b in cfg.model.branches.items()}
    assert int(re.fullmatch(r'.*_8xb(\d+)', path.stem)[1]) == sum(cfg.train_dataloader.batch_size.values())
    assert 'Pretrained' not in str(cfg.model)  # the pre-training starts from scratch
    pixels = {(tuple(b.model.data_preprocessor.mean), tuple(b.model.data_preprocessor.std))
              for b in cfg.model.branches.values()}
    assert len(pixels) == 1
    iterations = cfg.get('expansion_iters', cfg.train_cfg.max_iters)
    assert cfg.param_scheduler[-1].end == iterations and cfg.param_scheduler[0].end == cfg.param_scheduler[1].begin
    assert cfg.train_cfg.max_iters == 180000 and iterations in (90000, 180000)


@pytest.mark.parametrize('source', sorted(SOURCES))
def test_one_variable_moves_all_files_of_a_source(source, monkeypatch):
    path = ROOT / 'configs/xlearner/xlearner_resnet50_8xb92.py'
    default = f'data/{source}' if source != 'coco_stuff' else 'data/coco_stuff164k'
    parts = re.findall(r"'data/[^']*'", str(Config.fromfile(path)[source]))
    monkeypatch.setenv(f'{source.upper()}_ROOT', '/elsewhere')
    cfg = Config.fromfile(path)
    used = str([cfg.train_dataloader.dataset['sources'][source], cfg.val_dataloader[source],
                cfg.val_evaluator[source]])
    assert parts and all(part.strip("'").startswith(default) for part in parts)
    assert 'data/' not in used and used.count('/elsewhere') == len(parts) == (3 if 'CocoMetric' in used else 2)


def test_base_names_are_unique():
    # mim and our tools look a config up by its base name.
    files = [*ROOT.glob('configs/**/*.py'), *ROOT.glob('projects/*/configs/**/*.py')]
    assert [name for name, count in Counter(path.name for path in files).items() if count > 1] == []


def test_mim_finds_every_recipe():
    index = yaml.safe_load((ROOT / 'model-index.yml').read_text())
    entries = [entry for name in index['Import'] for entry in yaml.safe_load((ROOT / name).read_text())['Models']]
    assert sorted(entry['Config'] for entry in entries) == sorted(str(p.relative_to(ROOT)) for p in RECIPES)
    for entry in entries:
        cfg = load(ROOT / entry['Config'])
        assert entry['Name'] == Path(entry['Config']).stem
        assert len(entry['Metadata']['Training Data']) == len(cfg.model.branches)
        assert 'Weights' not in entry and 'Results' not in entry  # nothing that was not measured


def test_mim_search_reads_the_index():
    search = pytest.importorskip('mim.commands.search')
    table = search.convert2df(search.load(str(ROOT / 'model-index.yml')))
    assert set(table.index) == {path.stem for path in RECIPES}
