"""Metrics inside X-Learner against those of the stock libraries, on the same weights and data."""

import importlib
import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from evaluation_tools import environment, finished, plain
from measure import Measure

import toy
from stock_metrics import compare
from test_engine import test_multi_source_test_loop as tested
from xlearner_mm.tools.test import load_config, parse_args
from xlearner_mm.transfer import export_branch

SOURCES = dict(photos='mmpretrain', boxes='mmdet', maps='mmseg')
COUNTS = (dict(photos=7, boxes=5, maps=6), dict(photos=11, boxes=7, maps=9))  # batches of 3, 2 and 2 images
NO_METRICS = ('data_time', 'time', 'step')


def metrics(work: Path) -> Iterator[Measure]:
    """With one process and with two, for data that their batches do not divide."""
    for counts in COUNTS:
        folder = work / '_'.join(map(str, counts.values()))
        data = toy.write_data(folder / 'data', counts)
        run = plain(tested.run)(data, SimpleNamespace(mktemp=lambda name, folder=folder: folder))
        cfg = load_config(parse_args([*map(str, run), '--work-dir', str(folder / 'xlearner')]))
        one = compare(cfg, folder / 'one', tested.LIMITS)
        two = tested.measure_by_two(run, folder)
        tools = by_stock_tools(run, folder)
        title = ', '.join(f'{count} {source}' for source, count in counts.items())
        yield Measure(f'{title}: metrics that differ, 1 process', differing(one['xlearner'], one['stock']), 0,
                      f"each stock model alone, tested by its library's parts; {told(one['stock'])}")
        yield Measure(f'{title}: metrics that differ, 1 process, stock tools', differing(one['xlearner'], tools), 0,
                      f"what mim test starts: each library's own tools/test.py, on exported models; {told(tools)}")
        yield Measure(f'{title}: metrics that differ, 2 processes', differing(two['xlearner'], two['stock']), 0,
                      f'each stock model alone with 2 processes; {told(two["stock"])}')
        pairs = [(one[kind], two[kind]) for kind in ('xlearner', 'limited')]
        yield Measure(f'{title}: metrics that differ between 1 and 2 processes', sum(differing(*p) for p in pairs), 0,
                      f'all, and the first {tested.LIMITS} samples; {sum(len(a) for a, _ in pairs)} metrics')
        fewest = min(min(map(len, by_library(m).values())) for m in (one['stock'], two['stock'], tools))
        yield Measure(f'{title}: metrics compared of the library that has fewest', fewest, 1, told(one['stock']), True)


def by_stock_tools(run: tuple[Path, Path], folder: Path) -> dict[str, Any]:
    """Metrics of the exported stock models by the test tools of their libraries, which ``mim test`` starts."""
    found = {}
    for source, library in SOURCES.items():
        weights = folder / 'stock' / f'{source}.pth'
        export_branch(run[1], weights, source)
        tool = Path(str(importlib.import_module(library).__file__)).parent / '.mim' / 'tools' / 'test.py'
        work_dir = folder / 'stock' / source
        finished([sys.executable, str(tool), str(weights.with_suffix('.py')), str(weights), '--work-dir',
                  str(work_dir)], env=environment(), cwd=folder)
        (record, ) = work_dir.glob('*/*.json')
        found.update({f'{source}/{key}': value for key, value in json.loads(record.read_text()).items()
                      if key not in NO_METRICS})
    return found


def differing(a: Mapping[str, Any], b: Mapping[str, Any]) -> int:
    """Metrics that only one has, or that differ in any digit."""
    return sum(repr(a.get(key)) != repr(b.get(key)) for key in {*a, *b})  # NaN is equal to NaN


def by_library(found: Mapping[str, Any]) -> dict[str, list[Any]]:
    """Values by the library that they are of."""
    return {library: [value for key, value in found.items() if key.startswith(f'{source}/')]
            for source, library in SOURCES.items()}


def told(found: Mapping[str, Any]) -> str:
    """How many there are, and how many of them say something."""
    return ', '.join(f'{len(values)} of {library} ({sum(v > 0 for v in values)} above 0)'
                     for library, values in by_library(found).items())
