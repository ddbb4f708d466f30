"""See which sources get in each other's way: ``mim run xlearner_mm plot_interference RUN...`` runs this file.

It draws what a ``TaskInterferenceHook`` measured: heat maps of the cosine between the sources' gradients by stage, and
the cosines over the iterations. Several runs, such as hard sharing and an expansion, are drawn side by side.
"""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Optional

from xlearner_mm.utils import atomic_figure, text_table, user_errors

if TYPE_CHECKING:
    from xlearner_mm.visualization.interference_scalars import Interference

FORMATS = ('.png', '.svg')


def parse_args(arguments: Optional[Sequence[str]] = None) -> argparse.Namespace:
    """Read the command line.

    Args:
        arguments (Sequence[str], optional): Arguments; those of the process by default.

    Returns:
        argparse.Namespace: What they say.
    """
    parser = argparse.ArgumentParser(description="Draw what a TaskInterferenceHook measured between sources' gradients")
    parser.add_argument('runs', nargs='+', metavar='RUN', help='work folder of a run, or a scalars.json in it')
    parser.add_argument('--out', default='interference.png', help='PNG or SVG to write; interference.png by default')
    parser.add_argument('--from', type=int, dest='first', metavar='ITERATION', help='first iteration to take')
    parser.add_argument('--to', type=int, dest='last', metavar='ITERATION', help='last iteration to take')
    parser.add_argument('--parts', nargs='+', help='parts of the model, as all, stage1 or det.stage1; by default all '
                        'but those of single tasks')
    return parser.parse_args(arguments)


def check_args(args: argparse.Namespace) -> None:
    """Refuse what cannot be drawn, before anything is read.

    Args:
        args (argparse.Namespace): The arguments.

    Raises:
        ValueError: If the file is neither PNG nor SVG, or no iteration is left.
    """
    if Path(args.out).suffix.lower() not in FORMATS:
        raise ValueError(f'--out {args.out} must end in .png or .svg: a PNG or an SVG is written.')
    if args.first is not None and args.last is not None and args.first > args.last:
        raise ValueError(f'--from {args.first} --to {args.last} leaves no iterations.')


def plot(args: argparse.Namespace) -> str:
    """Draw what was measured in runs.

    Args:
        args (argparse.Namespace): The arguments, checked.

    Returns:
        str: A table of the cosines on all shared parameters, and what was written.

    Raises:
        FileNotFoundError: If a run has no scalars.
        ValueError: If nothing was measured in a run, or it has no such part.
    """
    from xlearner_mm.visualization.interference_picture import interference_picture
    from xlearner_mm.visualization.interference_scalars import ordered_parts, read_interference

    measured = _with_own_titles(
        {run: read_interference(run, args.first, args.last) for run in dict.fromkeys(args.runs)})
    known = list(dict.fromkeys(part for one in measured for part in one.parts))
    unknown = [part for part in args.parts or () if part not in known]
    if unknown:
        raise ValueError(f'--parts {" ".join(unknown)}: not among what was measured, {", ".join(known)}.')
    atomic_figure(interference_picture(measured, args.parts or ordered_parts(measured)), args.out, dpi=120)
    return f'{_table(measured)}\n\nwrote {args.out}'


def _with_own_titles(by_run: Mapping[str, Sequence['Interference']]) -> list['Interference']:
    """Tell folders of the same name apart by those that they are in."""
    same = len({phases[0].title.split(', ')[0] for phases in by_run.values()}) < len(by_run)
    return [one._replace(title=f'{Path(run).resolve().parent.name}/{one.title}') if same else one
            for run, phases in by_run.items() for one in phases]


def _table(measured: Sequence['Interference']) -> str:
    """Lay out the pairs of each run, those that conflict most first."""
    rows = []
    for one in measured:
        pairs = [(sum(values.values()) / len(values), pair, values) for pair, values in one.cosines('all').items()]
        for mean, pair, values in sorted(pairs):
            negative = sum(value < 0 for value in values.values()) / len(values)
            rows.append((one.title, *pair, f'{mean:.3f}', f'{negative:.0%}', f'{len(values)}'))
    return '\n'.join(text_table(rows, ('run', 'source', 'source', 'mean cosine', 'negative', 'steps'), 3))


def main() -> None:
    """Draw what the command line asks for; a user's error is one line without a traceback."""
    args = parse_args()
    with user_errors('plot_interference'):
        check_args(args)
        print(plot(args))


if __name__ == '__main__':
    main()
