"""Prepare the data of projects/earth: six sources in stock formats and a contact sheet of each."""

import argparse
import logging
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from earth.prepare import prepare, sheet_path  # noqa: E402


def main() -> None:
    """Parse the command line, prepare, and print counts and paths."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--out', type=Path, default=Path('data/earth'), help='data root (default: %(default)s)')
    root = parser.parse_args().out
    logging.basicConfig(level=logging.INFO, format='%(message)s', stream=sys.stdout)
    try:
        record = prepare(root)
    except (FileNotFoundError, FileExistsError) as error:
        sys.exit(f'prepare_data: {error}')
    for name, source in record['sources'].items():
        print(f'\n{name} ({source["task"]}, {len(source["classes"])} classes)')
        for split, counts in source['counts'].items():
            print(f'  {split:15s}', ', '.join(f'{count} {what}' for what, count in counts.items()))
    print('\ncontact sheets:')
    for name in record['sources']:
        print(f'  {sheet_path(root, name)}')


if __name__ == '__main__':
    main()
