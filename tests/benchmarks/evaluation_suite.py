"""A transfer suite that is killed and started again; and the table of the demo, which is made of a suite's results."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Optional
from unittest import mock

import torch
from evaluation_tools import ROOT, events, finished, plain, recording, tool
from measure import Measure
from mmengine.config import Config

import toy
from test_downstream.conftest import toy_sets, weights
from xlearner_mm.downstream import Result, read_results, write_results

sys.path.append(str(ROOT / 'projects/earth'))
from earth import report as earth_report  # noqa: E402

# Of each fine-tuning, which saves a checkpoint every 2. So few, and so small steps: what is trained longer on a toy
# gives the same figure with any weights.
ITERS, RATE = 10, 0.005
FILES = ('results.md', 'results.json', 'bars_full.png', 'radar_full.png')


def write_sets(work: Path) -> list[str]:
    """A probed set and two that are fine-tuned, long enough to be killed between two checkpoints."""
    paths = plain(toy_sets)(toy.write_data(work / 'data'), work)
    for source in ('boxes', 'maps'):
        cfg = Config.fromfile(paths[source])
        cfg.train_cfg.update(max_iters=ITERS, val_interval=ITERS)
        cfg.default_hooks.checkpoint.update(interval=2, max_keep_ckpts=1)
        cfg.optim_wrapper.optimizer.lr = RATE
        cfg.dump(paths[source])
    return list(paths.values())


def killed(command: list[str], folder: Path, sign: Path, whole_group: bool) -> set[str]:
    """Start a suite and kill it when a file is there; gives the sets that are finished then."""
    process = subprocess.Popen(command, env=recording(folder), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                               start_new_session=True)
    deadline = time.monotonic() + 600
    while not sign.is_file():
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f'The suite was to be killed, but ended with {process.poll()} before.')
        time.sleep(0.02)
    if whole_group:
        os.killpg(process.pid, signal.SIGKILL)
    else:
        process.send_signal(signal.SIGKILL)  # its job is left to end by itself
    process.wait()
    return finished_sets(folder / 'suite')


def finished_sets(out: Path) -> set[str]:
    """Sets with a result."""
    return {path.parents[2].name for path in out.glob('jobs/full/*/*/*/result.json')}


def started_sets(folder: Path) -> list[str]:
    """Sets in the order in which processes of their jobs were started; forgets them."""
    lines = [line for line in events(folder, 'start') if 'downstream.run_job' in line]
    (folder / 'events').unlink(missing_ok=True)
    return [line.split('/jobs/full/', 1)[1].split('/', 1)[0] for line in lines]


def restarted(work: Path) -> Iterator[Measure]:
    """Kill a suite three times, in fine-tunings and at the start of one; compare with one that nobody disturbs."""
    work.mkdir(parents=True)
    sets, file = write_sets(work), plain(weights)(work)
    command = tool('transfer', '--backbone', f'tv=torchvision:resnet18@{file}', '--sets', *sets, '--out')
    calm, disturbed = work / 'calm', work / 'disturbed'
    told = finished([*command, str(calm / 'suite')], env=recording(calm)).stdout
    command.append(str(disturbed / 'suite'))
    jobs = disturbed / 'suite/jobs/full'
    starts: list[list[str]] = []
    there: list[set[str]] = [set()]
    for name, sign, whole_group in (('boxes', 'last_checkpoint', True), ('maps', 'output.log', False),
                                    ('maps', 'last_checkpoint', True)):
        there.append(killed(command, disturbed, jobs / name / 'tv/seed0' / sign, whole_group))
        starts.append(started_sets(disturbed))
    last = finished(command, env=recording(disturbed)).stdout
    starts.append(started_sets(disturbed))
    again = sum(name in before for before, begun in zip(there, starts, strict=True) for name in begun)
    how = 'jobs started: ' + '; '.join(f'{", ".join(begun)} (there: {", ".join(sorted(before)) or "none"})'
                                       for before, begun in zip(there, starts, strict=True))
    yield Measure('suite killed three times, finished sets that are run again', again, 0, how)
    yield Measure('suite, sets finished before the last start', len(there[-1]), 2, 'of 3: it was killed in the middle',
                  True)
    yield from tables(calm, disturbed, told, last)


def tables(calm: Path, disturbed: Path, told: str, last: str) -> Iterator[Measure]:
    """Compare what two suites leave."""
    folders = (calm / 'suite', disturbed / 'suite')
    other = [name for name in FILES if len({(folder / name).read_bytes() for folder in folders}) > 1]
    figures = [{r.set: r.percent for r in read_results(folder / 'results.json')} for folder in folders]
    states = [[torch.load(folder / 'jobs/full' / name / f'tv/seed0/iter_{ITERS}.pth', map_location='cpu',
                          weights_only=False)['state_dict'] for name in ('boxes', 'maps')] for folder in folders]
    tensors = [not torch.equal(value, b[key]) for a, b in zip(*states, strict=True) for key, value in a.items()]
    yield Measure('suite killed three times, files of table and pictures with other bytes', len(other), 0,
                  f'{", ".join(FILES)} of an undisturbed suite, whose figures are {figures[0]}; {sum(tensors)} of '
                  f'{len(tensors)} tensors of the fine-tuned models differ'
                  + (f', figures are {figures[1]}' if other else ''))
    printed = [text[text.index('All training data'):].split('\n  ', 1)[0] for text in (told, last)]
    yield Measure('suite killed three times, printed tables that differ', int(printed[0] != printed[1]), 0,
                  'that of the undisturbed suite, byte by byte')


def demo_rows(work: Path) -> Iterator[Measure]:
    """What the demo's table takes from the results of a suite: figures that nothing else can give."""
    results = [Result('full', f'earth_transfer_{task}', 'any', backbone, 0, 10 * number + place + 0.125)
               for number, task in enumerate(earth_report.TRANSFERS, 1)
               for place, backbone in enumerate(('scratch', earth_report.XLEARNER))]
    write_results(results, work / 'transfer')
    other = {key: 0.5 for key in earth_report.MAIN_METRIC.values()}
    upstream = {f'{source}/{key}': value for source in earth_report.SOURCES for key, value in other.items()}
    with mock.patch.multiple(earth_report, trivial_baseline=lambda *args: other, last_metrics=lambda run: upstream):
        rows = [row.__dict__ for row in earth_report.make_rows(work, work)]
    value, number = not_of_the_suite(rows, work / 'transfer')
    yield Measure("demo, figures of the table that are not the suite's, made-up results", value, 0, f'{number} figures')


def demo_table(results: Optional[Path]) -> Iterator[Measure]:
    """The table of a finished demo against the results of its suite."""
    if results is None:
        print('demo, a finished one: not taken, --demo RESULTS names none', flush=True)
        return
    rows = json.loads((results / 'table.json').read_text())
    value, number = not_of_the_suite(rows, results / 'transfer')
    yield Measure("demo, figures of table.json that are not the suite's", value, 0,
                  f'{number} figures of {results.name}')
    text = (results / 'table.md').read_text()
    shown = [(row['source'], f'{row["scratch"]:.1f} | {row["xlearner"]:.1f} |') for row in of_transfers(rows)]
    value = sum(not any(source in line and figures in line for line in text.splitlines()) for source, figures in shown)
    yield Measure('demo, lines of table.md that do not show them', value, 0, f'{len(shown)} lines')


def of_transfers(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows that a suite gives."""
    return [row for row in rows if row['where'] == 'transfer']


def not_of_the_suite(rows: list[dict[str, Any]], folder: Path) -> tuple[int, int]:
    """Figures of a table that differ from the results of a suite in any digit; and how many there are."""
    found = {(r.set, r.backbone): r.percent for r in read_results(folder / 'results.json')}
    names = {source: f'earth_transfer_{task}' for task, source in earth_report.TRANSFERS.items()}
    pairs = [(row[backbone], found[names[row['source']], backbone])
             for row in of_transfers(rows) for backbone in ('scratch', earth_report.XLEARNER)]
    missing = abs(2 * len(names) - len(pairs))
    return missing + sum(a != b for a, b in pairs), len(pairs)
