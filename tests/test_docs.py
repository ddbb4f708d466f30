"""The documentation: links, tools and options that it names, the table of registered classes, and its examples."""

import importlib
import inspect
import pkgutil
import re
import sys
from collections import defaultdict
from pathlib import Path
from types import CodeType
from typing import Any

import pytest
import torch
from mmengine.config import ConfigDict
from mmengine.optim import OptimWrapper
from mmengine.registry import Registry

import tiny
import toy
import xlearner_mm.registry
from stock_files import write_stock
from xlearner_mm.models.phase import Phase
from xlearner_mm.registry import MODELS
from xlearner_mm.setup_env import register_all_modules

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / 'docs'
PAGES = [ROOT / 'README.md', *sorted(DOCS.glob('*.md')), *sorted(ROOT.glob('projects/*/README.md'))]
OF_MIM = {'--gpus', '--gpus-per-node', '--partition', '--checkpoint'}  # options of `mim train` and `mim test`
BATCHES = dict(cls='photos', det='boxes', seg='maps')

pytestmark = pytest.mark.compat
each_page = pytest.mark.parametrize('page', PAGES, ids=lambda page: str(page.relative_to(ROOT)))


def marked_lines(page: Path) -> list[tuple[str, str]]:
    """The lines of a page, each with the mark of its fenced block; outside of one it is 'prose'."""
    mark, lines = 'prose', []
    for line in page.read_text().splitlines():
        if line.startswith('```'):
            mark = line.removeprefix('```') if mark == 'prose' else 'prose'
            line = ''
        lines.append((mark, line))
    return lines


def prose(page: Path) -> str:
    return '\n'.join(line for mark, line in marked_lines(page) if mark == 'prose')


def slugs(page: Path) -> set[str]:
    """Anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r'^#+ (.+)$', prose(page), re.MULTILINE)
    return {re.sub(r'[^\w\- ]', '', heading.lower()).replace(' ', '-') for heading in headings}


@each_page
def test_relative_links_lead_somewhere(page):
    for target in re.findall(r'\]\(([^)\s]+)\)', prose(page)):
        path, _, anchor = target.partition('#')
        if '://' in target:
            continue
        linked = (page.parent / path).resolve() if path else page
        assert linked.exists(), f'{page.name} links {target}, which is not there'
        assert not anchor or anchor in slugs(linked), f'{page.name} links {target}; {linked.name} has no such heading'


@each_page
def test_tools_and_their_options_exist(page):
    told = page.read_text().replace('\\\n', ' ')
    for command in re.findall(r'mim (?:run|train|test) xlearner_mm\b[^`\n]*', told):
        _, kind, _, *words = command.split('#')[0].split()
        tool = kind if kind != 'run' else words[0] if words else 'TOOL'
        if not tool.isidentifier() or tool.isupper():  # stands for any
            continue
        file = ROOT / 'xlearner_mm' / 'tools' / f'{tool}.py'
        assert file.exists(), f'{page.name} names the tool {tool}; there is no {file.relative_to(ROOT)}'
        known = file.read_text() + (ROOT / 'xlearner_mm/utils/config_arguments.py').read_text()
        for option in re.findall(r'--[a-z][a-z-]+', ' '.join(words)):
            assert f"'{option}'" in known or (kind != 'run' and option in OF_MIM), (
                f'{page.name} names {option} of {tool}, which has no such option')


def registered() -> dict[str, dict[str, str]]:
    """By registry, what we register: the cell of the table with its whole line."""
    rows: dict[str, dict[str, str]] = {}
    for title, registry in vars(xlearner_mm.registry).items():
        names = defaultdict(list)
        for name, thing in registry.module_dict.items() if isinstance(registry, Registry) else ():
            if thing.__module__.startswith('xlearner_mm.'):
                names[thing].append(f'`{name}`')
        for thing, own in names.items():
            cell = f'[{", ".join(own)}](../{thing.__module__.replace(".", "/")}.py)'
            told = inspect.getdoc(thing).splitlines()[0].replace('``', '`')
            rows.setdefault(title, {})[cell] = f'| {cell} | {told} |'
    return rows


def test_the_table_of_registered_classes_is_complete():
    register_all_modules()
    for module in pkgutil.walk_packages(xlearner_mm.__path__, 'xlearner_mm.'):
        importlib.import_module(module.name)  # whatever other tests have imported
    expected, found = registered(), {}
    for section in (DOCS / 'registered.md').read_text().split('\n## ')[1:]:
        rows = re.findall(r'^\| (\[.+?\]\(.+?\)) \| .+ \|$', section, re.MULTILINE)
        assert len(rows) == len(set(rows))
        found[section.splitlines()[0]] = set(rows)
    mends = [f'add to ## {title}:\n{line}' for title, lines in expected.items() for cell, line in lines.items()
             if cell not in found.get(title, ())]
    mends += [f'take out of ## {title}:\n{cell}' for title, cells in found.items() for cell in cells
              if cell not in expected.get(title, ())]
    assert not mends, 'docs/registered.md is not what is registered; ' + '\n'.join(mends)


def examples(page: str) -> dict[str, str]:
    """Tested code by section of a page; empty lines before it keep its line numbers."""
    found: dict[str, list[str]] = {}
    title = ''
    for number, (mark, line) in enumerate(marked_lines(DOCS / page)):
        if mark == 'prose' and line.startswith('## '):
            title = line.removeprefix('## ')
        elif mark == 'python tested':
            code = found.setdefault(title, [])
            code += [''] * (number - len(code)) + [line]
    return {title: '\n'.join(code) for title, code in found.items()}


def lines_of(code: CodeType) -> set[int]:
    """Every line that can be executed."""
    lines = {line for _, _, line in code.co_lines() if line}
    return lines.union(*(lines_of(const) for const in code.co_consts if isinstance(const, CodeType)))


@pytest.fixture
def registries():
    """All that the package registers; what an example adds is forgotten."""
    register_all_modules()
    kept = [(r, dict(r._module_dict)) for r in vars(xlearner_mm.registry).values() if isinstance(r, Registry)]
    yield
    for registry, modules in kept:
        registry._module_dict.clear()
        registry._module_dict.update(modules)


@pytest.fixture
def folder(toy_data, tmp_path, monkeypatch):
    """A working folder with the data and stock configs that the examples name."""
    (tmp_path / 'data').symlink_to(toy_data)
    write_stock(toy_data, tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def train_a_step(cfg: dict) -> None:
    """A step of a model that has no data in its example, in its last phase."""
    model: Any = MODELS.build(ConfigDict(cfg))
    model.init_weights()
    if model.squeeze is not None:
        model.set_phase(Phase.SQUEEZE)
    batches = {source: tiny.batch(BATCHES[task]) for source, task in model.tasks.items()}
    optimizer = OptimWrapper(torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.01))
    before = {name: p.detach().clone() for name, p in model.named_parameters() if p.requires_grad}
    logged = model.train_step(batches, optimizer)
    assert all(torch.isfinite(value).all() for value in logged.values())
    assert any(not torch.equal(p, before[name]) for name, p in model.named_parameters() if name in before)


def train_a_run(told: dict[str, Any], folder: Path) -> None:
    """A run of an iteration with what an example says, validation included if it has one."""
    base = toy.config(folder / 'data', folder / 'run', max_iters=1).to_dict()
    names = ('model', 'train_dataloader', 'val_dataloader', 'val_evaluator')
    base.update({name: told.get(name) for name in names}, custom_hooks=[], visualizer=None)
    base['train_cfg'].update(val_begin=1, val_interval=1)
    if 'val_dataloader' not in told:
        base['val_cfg'] = None
    runner = toy.train(toy.Config(base, format_python_code=False))
    metrics = [key for key in runner.message_hub.log_scalars if key.startswith(tuple(
        f'val/{source}/' for source in told.get('val_dataloader', ())))]
    assert runner.iter == 1 and ('val_dataloader' in told) == bool(metrics)


@pytest.mark.parametrize('title', examples('extend.md'))
def test_every_line_of_an_example_runs(title, folder, registries):
    code = compile(examples('extend.md')[title], f'extend.md {title}', 'exec')
    told: dict[str, Any] = dict(
        __name__='my_project', BACKBONE=tiny.resnet(), CLASSIFIER=tiny.classifier(), DETECTOR=tiny.detector())
    ran = set()

    def trace(frame, event, argument):
        if frame.f_code.co_filename != code.co_filename:
            return None
        ran.add(frame.f_lineno)
        return trace

    sys.settrace(trace)
    try:
        exec(code, told)
        if 'train_dataloader' in told:
            train_a_run(told, folder)
        elif 'model' in told:
            train_a_step(told['model'])
    finally:
        sys.settrace(None)
    assert sorted(lines_of(code) - ran) == [], 'these lines of docs/extend.md never run'
