"""Measures of evaluation and transfer, each with its limit: ``python tests/benchmarks/evaluation.py [--json FILE]``.

Exits 1 if a limit is missed. One thread a process, on the CPU. ``--parts`` chooses of

- ``probe``: the linear probe against scikit-learn, 20 minutes; ``--quick`` makes it small, and then it takes seconds;
- ``metrics``: metrics inside X-Learner against those of the stock libraries, 2 minutes;
- ``export``: four families to every target, and exports that must be refused, 2 minutes;
- ``offline``: what the tools try with the network off, 4 minutes;
- ``suite``: a transfer suite that is killed and started again, 3 minutes; ``--demo RESULTS`` adds the table of a demo.
"""

import argparse
import logging
import os
import shutil
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / 'tests')]
os.environ.update(CUDA_VISIBLE_DEVICES='', OMP_NUM_THREADS='1', LOCAL_RANK='0')  # of children, too

import torch  # noqa: E402
from evaluation_export import arrivals, refusals  # noqa: E402
from evaluation_metrics import metrics  # noqa: E402
from evaluation_offline import offline  # noqa: E402
from evaluation_suite import demo_rows, demo_table, restarted  # noqa: E402
from linear_probe import LARGEST, against_scikit_learn, memory  # noqa: E402
from measure import Measure, report  # noqa: E402
from threadpoolctl import threadpool_limits  # noqa: E402

from test_evaluation.made_features import made_features, split  # noqa: E402
from xlearner_mm.setup_env import check_libraries, register_all_modules  # noqa: E402

THREADS = 1
Part = Callable[[Path, argparse.Namespace], Iterator[Measure]]


def probe(work: Path, args: argparse.Namespace) -> Iterator[Measure]:
    """The linear probe: what ``linear_probe.py`` measures."""
    samples, channels, classes, strength = (2000, 256, 20, 30) if args.quick else (20000, 2048, 100, 100)
    measures = [memory(int(LARGEST * samples), channels, classes)]
    train, test = split(made_features(samples + 5000, channels, classes), samples)
    with threadpool_limits(THREADS):
        measures += against_scikit_learn(train, test, strength)
    yield from (m._replace(name=f'probe of {samples} x {channels} features, {classes} classes: {m.name}')
                for m in measures)


def export(work: Path, args: argparse.Namespace) -> Iterator[Measure]:
    """What arrives, and what is refused."""
    yield from arrivals(work / 'arrivals')
    yield from refusals(work / 'refusals')


def suite(work: Path, args: argparse.Namespace) -> Iterator[Measure]:
    """A killed suite, and the demo's table."""
    yield from restarted(work / 'restarted')
    yield from demo_rows(work / 'demo')
    yield from demo_table(args.demo)


PARTS: dict[str, Part] = dict(probe=probe, metrics=lambda work, args: metrics(work), export=export,
                              offline=lambda work, args: offline(work), suite=suite)


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--json', type=Path, help='file for the measures')
    parser.add_argument('--parts', default=','.join(PARTS), help='default: %(default)s')
    parser.add_argument('--quick', action='store_true', help='a small probe')
    parser.add_argument('--demo', type=Path, help='results folder of a finished demo')
    args = parser.parse_args()
    args.parts = args.parts.split(',')
    if not set(args.parts) <= set(PARTS):
        parser.error(f'--parts {",".join(args.parts)}: the parts are {", ".join(PARTS)}')
    return args


def main() -> int:
    """Take the measures.

    Returns:
        int: Exit code.
    """
    args = parse_args()
    torch.set_num_threads(THREADS)
    register_all_modules()
    start, work, measures = time.time(), Path(tempfile.mkdtemp(prefix='evaluation-')), []
    try:
        for name in (name for name in PARTS if name in args.parts):  # the probe first: torch keeps memory that it freed
            logging.disable(logging.INFO)
            try:
                measures.extend(PARTS[name](work / name, args))
            except Exception:  # the others are still worth taking
                traceback.print_exc()
                measures.append(Measure(f'{name} could not be measured', float('inf'), 0, 'see the traceback above'))
    finally:
        shutil.rmtree(work, ignore_errors=True)
    quick = ' (quick probe: small sizes)' if args.quick and 'probe' in args.parts else ''
    return report(f'Evaluation and transfer: {", ".join(args.parts)}{quick}, {check_libraries()} stack, torch '
                  f'{torch.__version__}, CPU, {torch.get_num_threads()} thread a process, {time.time() - start:.0f} s',
                  measures, args.json)


if __name__ == '__main__':
    sys.exit(main())
