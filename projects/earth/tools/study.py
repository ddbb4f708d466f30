"""Compare ways to pre-train over several seeds: hours on 2 cores; goes on where it was stopped."""

import argparse
import shutil
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from earth.report import TRANSFERS  # noqa: E402
from earth.runs import LIBRARIES, export_command, finish, start, started_from, train_command  # noqa: E402
from earth.study import FULL, SCRATCH, Method, methods, options_of, run_folder  # noqa: E402
from earth.study_report import write_report  # noqa: E402


def run_once(config: str, folder: Path, options: dict[str, str], data: Path) -> None:
    """Train a config, unless that has been done; a run that was killed is done again.

    The folder has its name only when the run is over.
    """
    if folder.is_dir():
        return
    begin = time.monotonic()
    unfinished = folder.with_name(f'{folder.name}.unfinished')
    shutil.rmtree(unfinished, ignore_errors=True)
    log = unfinished / 'output.log'
    finish(start(train_command(config, unfinished, **options), data, log), str(folder), log)
    unfinished.rename(folder)
    print(f'{folder.parent.name}/{folder.name}: {time.monotonic() - begin:.0f} s', flush=True)


def pretrain(method: Method, out: Path, seed: int, data: Path) -> None:
    """Pre-train by a method, and export the backbone for each library, with proof."""
    folder = run_folder(out, seed, method.name)
    run_once(method.config, folder, options_of(method, out, seed), data)
    checkpoint = folder / Path((folder / 'last_checkpoint').read_text()).name
    for library in LIBRARIES.values():
        backbone = folder / f'backbone_{library}.pth'
        if not backbone.is_file():
            command = export_command(checkpoint, library, backbone, method.part)
            finish(start(command, data, log := folder / 'export.log'), f'Exporting {checkpoint}', log)


def transfer(task: str, method: Method, out: Path, seed: int, data: Path) -> None:
    """Fine-tune a stock model of a task from a method's backbone."""
    options = {'randomness.seed': str(seed)}
    if method.name != SCRATCH:
        options |= started_from(run_folder(out, seed, method.name) / f'backbone_{LIBRARIES[task]}.pth')
    run_once(f'earth_transfer_{task}.py', run_folder(out, seed, f'transfer_{task}_{method.name}'), options, data)


def run_seed(out: Path, seed: int, data: Path, pool: ThreadPoolExecutor) -> None:
    """All runs of a seed: what needs nothing, what begins with the expansion, the transfers."""
    trained = [method for method in methods() if method.config]
    # The whole X-Learner first: it is the longest, and the other squeezes wait for its expansion.
    for stage in (sorted((m for m in trained if not m.from_expansion), key=lambda m: m.name != FULL),
                  [m for m in trained if m.from_expansion]):
        list(pool.map(partial(pretrain, out=out, seed=seed, data=data), stage))
    pairs = [(task, method) for method in methods() for task in TRANSFERS]
    list(pool.map(lambda pair: transfer(*pair, out, seed, data), pairs))


def main() -> None:
    """Run what is missing and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--out', type=Path, default=Path('work_dirs/study'), help='folder (default: %(default)s)')
    parser.add_argument('--data', type=Path, default=Path('data/earth'), help='data root (default: %(default)s)')
    parser.add_argument('--seeds', type=int, nargs='+', default=[0, 1, 2], help='default: 0 1 2')
    parser.add_argument('--jobs', type=int, default=2, help='runs side by side, one thread each (default: %(default)s)')
    args = parser.parse_args()
    out, data = args.out.resolve(), args.data.resolve()
    try:
        if not data.is_dir():
            raise FileNotFoundError(f'{data} does not exist: prepare it with projects/earth/tools/prepare_data.py')
        with ThreadPoolExecutor(args.jobs) as pool:
            for seed in args.seeds:
                run_seed(out, seed, data, pool)
        print(write_report(out, args.seeds))
    except (OSError, KeyError, RuntimeError, ValueError) as error:
        sys.exit(f'study: {error}')


if __name__ == '__main__':
    main()
