"""The road of a new user, each measure with its limit: ``python tests/benchmarks/foundation_fresh_clone.py``.

Clones the last commit into a temporary folder and types ``make demo``, ``make env`` and ``make test`` there, with empty
caches. Takes about 40 minutes and 14 GB of disk; nothing of it is left. Exits 1 if a limit is missed. With ``--cache``
it uses a folder of caches instead, e.g. ``~/.cache``, and does not build mmcv again.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from measure import Measure, report

ROOT = Path(__file__).resolve().parents[2]


def make(target: str, clone: Path, cache: Path) -> tuple[int, float, str]:
    """Type ``make TARGET`` in the clone, and pass on what it prints.

    Returns:
        tuple[int, float, str]: Exit code, seconds, and what was printed.
    """
    env = {k: v for k, v in os.environ.items() if not k.startswith(('PIP_CACHE', 'VIRTUAL_ENV', 'PYTHONPATH'))}
    begin, lines = time.monotonic(), []
    process = subprocess.Popen(['make', target], cwd=clone, env=dict(env, XDG_CACHE_HOME=str(cache)), text=True,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    for line in process.stdout or ():
        print(line, end='', flush=True)
        lines.append(line)
    return process.wait(), time.monotonic() - begin, ''.join(lines)


def measures(clone: Path, cache: Path) -> Iterator[Measure]:
    """Take the measures in the order in which a user would meet them."""
    subprocess.run(['git', 'clone', '--quiet', str(ROOT), str(clone)], check=True)
    code, seconds, output = make('demo', clone, cache)
    yield Measure('make demo as the first command: failures', int(code != 0), 0, 'exit code 0')
    done = re.search(r'Done in ([\d.]+) min', output)
    minutes = float(done.group(1)) if done else float('inf')
    print(f'make demo took {seconds / 60:.1f} min in all')
    yield Measure('minutes of the demo after the environment exists', minutes, 15, f'{os.cpu_count()} cores')
    table = clone / 'results' / 'table.json'
    rows = json.loads(table.read_text()) if table.is_file() else []
    beaten = sum(row['xlearner'] > row['trivial'] for row in rows)
    yield Measure('rows of its table that do not beat the trivial baseline', len(rows) - beaten if rows else 1, 0,
                  f'{len(rows)} rows')
    again = [make('env', clone, cache) for _ in range(5)]
    yield Measure('another make env: failures', sum(run[0] != 0 for run in again), 0, 'exit code 0')
    yield Measure('another make env: seconds', sorted(run[1] for run in again)[2], 2, 'median of 5')
    code, seconds, _ = make('test', clone, cache)
    yield Measure('make test: failures', int(code != 0), 0, 'exit code 0')
    yield Measure('make test: minutes', seconds / 60, 15, f'{os.cpu_count()} cores')
    status = subprocess.run(['git', 'status', '--porcelain'], cwd=clone, capture_output=True, text=True, check=True)
    yield Measure('files that git sees changed afterwards', len(status.stdout.splitlines()), 0, 'a clean clone')


def main() -> int:
    """Take all measures.

    Returns:
        int: Exit code.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--json', type=Path, help='file for the measures')
    parser.add_argument('--cache', type=Path, help='folder of caches (default: an empty one)')
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix='fresh-clone-') as folder:
        taken = list(measures(Path(folder, 'clone'), args.cache or Path(folder, 'cache')))
    caches = f'the caches of {args.cache}' if args.cache else 'empty caches'
    return report(f'A fresh clone with {caches}, {os.cpu_count()} cores', taken, args.json)


if __name__ == '__main__':
    sys.exit(main())
