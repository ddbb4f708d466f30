"""How many stock configs of the installed libraries act as a branch: one for each kind of model trains a step.

The kind is the tree of types of the model. Weights are random, images tiny; 1 thread a process.
Run: OMP_NUM_THREADS=1 .venv/bin/python tests/benchmarks/compose_coverage.py --json coverage.json [--sample 40 --seed 0]
"""

import argparse
import json
import logging
import multiprocessing
import random
import re
import sys
import time
from collections import Counter
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[2]), str(Path(__file__).resolve().parents[1])]

import torch  # noqa: E402
from measure import Measure, report  # noqa: E402

from stock_signatures import signatures  # noqa: E402
from stock_step import Outcome, try_config  # noqa: E402
from xlearner_mm.setup_env import check_libraries, register_all_modules  # noqa: E402

LIBRARIES = ('mmpretrain', 'mmseg', 'mmdet')
LIMIT = 0.95
SECONDS = 300


def _child(stock: str, pipe: multiprocessing.connection.Connection) -> None:
    torch.set_num_threads(1)
    logging.disable(logging.WARNING)  # mmengine tells of every parameter that it initialises
    pipe.send(try_config(stock))


def isolated(stock: str) -> Outcome:
    """Try a config in a fork, so that what one leaves behind or breaks is not the next one's."""
    fork = multiprocessing.get_context('fork')
    ours, theirs = fork.Pipe(duplex=False)
    process = fork.Process(target=_child, args=(stock, theirs))
    process.start()
    theirs.close()
    try:
        return ours.recv() if ours.poll(SECONDS) else Outcome('failed', f'not done after {SECONDS} s')
    except EOFError:
        process.join()
        return Outcome('failed', f'the process ended with {process.exitcode}')
    finally:
        process.kill()
        process.join()


def chosen(sample: int, seed: int) -> tuple[list[str], dict[str, str]]:
    """Give a config for each kind of model, or a sample of them; and those that are none."""
    stocks, others = [], {}
    for library in LIBRARIES:
        found, without = signatures(library)
        stocks += [f'{library}:{names[0]}' for names in found.values()]
        others |= {f'{library}:{name}': reason for name, reason in without.items()}
    if sample:
        stocks = random.Random(seed).sample(stocks, min(sample, len(stocks)))
    return stocks, others


def cause(outcome: Outcome) -> str:
    """Say why, without what differs from config to config."""
    if outcome.kind == 'unsupported':
        return re.search(r'Backbone (\w+)', outcome.reason).group(1)
    if outcome.kind == 'refused':
        return re.sub(r"^Source '\w+': |[\w./-]+ of [\w./-]+ cannot be a branch: it ", '', outcome.reason)[:110]
    return outcome.reason.splitlines()[0][:110] if outcome.reason else ''


def table(outcomes: dict[str, Outcome]) -> str:
    """Counts by library and outcome, then the reasons, as Markdown."""
    kinds = ('trains', 'failed', 'gpu only', 'broken', 'unsupported', 'refused')
    lines = ['| library | ' + ' | '.join(kinds) + ' |', '|---' + '|---:' * len(kinds) + '|']
    for library in LIBRARIES:
        counts = Counter(o.kind for stock, o in outcomes.items() if stock.startswith(f'{library}:'))
        lines.append(f'| {library} | ' + ' | '.join(str(counts[kind]) for kind in kinds) + ' |')
    lines += ['', '| outcome | reason | kinds of model |', '|---|---|---:|']
    reasons = Counter((o.kind, cause(o)) for o in outcomes.values() if o.kind != 'trains')
    lines += [f'| {kind} | {why} | {number} |' for (kind, why), number in sorted(
        reasons.items(), key=lambda item: (item[0][0], -item[1]))]
    return '\n'.join(lines)


def main() -> int:
    """Try all configs and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--json', type=Path, help='file for the measures')
    parser.add_argument('--outcomes', type=Path, help='JSON file for the outcome of every config')
    parser.add_argument('--sample', type=int, default=0, help='so many configs drawn at random; 0: all')
    parser.add_argument('--seed', type=int, default=0)
    args = parser.parse_args()
    stack = check_libraries()
    register_all_modules()
    stocks, others = chosen(args.sample, args.seed)
    outcomes, begin = {}, time.monotonic()
    for number, stock in enumerate(stocks, 1):
        outcomes[stock] = isolated(stock)
        print(f'[{number}/{len(stocks)} {time.monotonic() - begin:.0f} s] {stock}: {outcomes[stock].kind} '
              f'{cause(outcomes[stock])}', flush=True)
    if args.outcomes:
        args.outcomes.write_text(json.dumps(outcomes, indent=1))
    print(f'\n{table(outcomes)}\n\nNot tried: {Counter(others.values()).most_common()}')
    kinds = Counter(outcome.kind for outcome in outcomes.values())
    suited = kinds['trains'] + kinds['failed']
    return report(f'compose_coverage, {stack} stack, 1 thread', [
        Measure('share of kinds of model that train a step', kinds['trains'] / max(1, suited), LIMIT,
                f'{suited} kinds that are single-image supervised and of a supported family, of {len(stocks)}', True),
    ], args.json)


if __name__ == '__main__':
    sys.exit(main())
