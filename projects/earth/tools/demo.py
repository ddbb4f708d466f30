"""The whole of X-Learner on real images: data, expansion, squeeze, export, transfers, table and pictures."""

import argparse
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from earth.report import TRANSFERS, XLEARNER, make_rows, markdown, write_table  # noqa: E402
from earth.runs import finish, start, train_command, transfer_command  # noqa: E402

MARKER = '.earth_demo'  # in a results folder: what the demo writes there may be replaced
WRITTEN = ('xlearner', 'transfer', 'table.*', '*.png')


def prepare_data(data: Path, results: Path) -> None:
    """Prepare the six sources."""
    tool = Path(__file__).with_name('prepare_data.py')
    finish(start([sys.executable, str(tool), '--out', str(data)], data), 'Preparing the data')


def check_results_folder(results: Path) -> None:
    """Refuse to write into a folder with anything but the results of an earlier demo.

    Raises:
        FileExistsError: If the folder holds other files.
    """
    if results.is_dir() and any(results.iterdir()) and not (results / MARKER).is_file():
        raise FileExistsError(f'{results} is not empty and not of an earlier demo: choose another folder (--out, or '
                              'make demo RESULTS=...)')
    results.mkdir(parents=True, exist_ok=True)
    (results / MARKER).touch()


def clear(results: Path) -> None:
    """Remove what an earlier demo wrote, so that nothing of it is taken for a result of this one."""
    for path in (path for pattern in WRITTEN for path in results.glob(pattern)):
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()


def pretrain(data: Path, results: Path) -> None:
    """Train the X-Learner: expansion and squeeze in one run."""
    clear(results)
    command = train_command('earth_xlearner.py', results / 'xlearner')
    finish(start(command, data), 'Training the X-Learner')


def transfer(data: Path, results: Path) -> None:
    """Fine-tune each stock model from scratch and from the exported student, two side by side."""
    checkpoint = (results / 'xlearner' / 'last_checkpoint').read_text()
    backbones = [f'scratch=scratch:{XLEARNER}', f'{XLEARNER}=run:{checkpoint}']
    configs = [f'earth_transfer_{task}.py' for task in TRANSFERS]
    finish(start(transfer_command(backbones, configs, results / 'transfer'), data), 'Comparing the transfers')


def report(data: Path, results: Path) -> None:
    """Write table and pictures, and say where they are."""
    from earth.curves import draw_curves
    from earth.predictions import draw_predictions

    rows = make_rows(data, results)
    table = write_table(rows, results)
    draw_curves(results / 'xlearner', results / 'losses.png')
    draw_predictions(results, results / 'predictions.png')
    print(f'\n{markdown(rows)}', flush=True)
    for path in (table, results / 'losses.png', results / 'predictions.png', results / 'transfer' / 'bars_full.png',
                 data / 'contact_sheets'):
        print(f'  {path}')
    worse = [f'{row.where} {row.source}' for row in rows if not row.beats_trivial]
    if worse:
        sys.exit(f'Not better than the trivial baseline: {", ".join(worse)}')


STEPS: tuple[tuple[str, Callable[[Path, Path], None], float], ...] = (
    ('Preparing six real sources', prepare_data, 0.3),
    ('Pre-training: expansion, then squeeze', pretrain, 6.5),
    ('Export with proof, and transfers to stock models, scratch beside X-Learner', transfer, 4.7),
    ('Table and pictures', report, 0.3),
)


def main() -> None:
    """Run all steps."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--out', type=Path, default=Path('results'), help='results folder (default: %(default)s)')
    parser.add_argument('--data', type=Path, default=Path('data/earth'), help='data root (default: %(default)s)')
    args = parser.parse_args()
    results, data = args.out.resolve(), args.data.resolve()
    begin = time.monotonic()
    try:
        check_results_folder(results)
        for number, (title, step, _) in enumerate(STEPS, 1):
            minutes = sum(s[2] for s in STEPS[number - 1:])
            elapsed = (time.monotonic() - begin) / 60
            print(f'\n[{number}/{len(STEPS)}] {title}; {elapsed:.1f} min gone, about {minutes:.0f} left on 2 cores',
                  flush=True)
            step(data, results)
    except (OSError, KeyError, RuntimeError, ValueError) as error:
        sys.exit(f'demo: {error}')
    print(f'\nDone in {(time.monotonic() - begin) / 60:.1f} min. Results: {results}')


if __name__ == '__main__':
    main()
