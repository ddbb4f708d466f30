"""Compare backbones on downstream sets: ``mim run xlearner_mm transfer`` runs this file."""

import argparse
from pathlib import Path

from xlearner_mm.setup_env import check_libraries, register_all_modules
from xlearner_mm.utils import atomic_figure, user_errors


def parse_args() -> argparse.Namespace:
    """Read the command line.

    Returns:
        argparse.Namespace: The arguments.
    """
    parser = argparse.ArgumentParser(description='Compare backbones on downstream sets')
    parser.add_argument(
        '--backbone', action='append', required=True, metavar='NAME=...',
        help='run:CHECKPOINT[#PART], torchvision:MODEL[@WEIGHTS], timm:MODEL[@WEIGHTS], or scratch:NAME, the '
        'architecture of another one with random weights; once a backbone')
    parser.add_argument('--sets', nargs='+', required=True, help='names of configs/transfer, or config files')
    parser.add_argument('--out', type=Path, required=True, help='folder for results; an earlier suite in it goes on')
    parser.add_argument('--variants', nargs='+', choices=('full', 'low_data', 'knn'), default=['full'],
                        help='all training data; 10 %% of it and a frozen backbone; k-NN on frozen features')
    parser.add_argument('--seeds', nargs='+', type=int, default=[0])
    parser.add_argument('--jobs', type=int, default=1, help='processes side by side (default: %(default)s)')
    return parser.parse_args()


def main() -> None:
    """Run the suite that the command line asks for; write its table and pictures."""
    check_libraries()  # before the imports below fail on what is missing, without a mend
    from xlearner_mm.downstream import markdown, parse_backbones, plan, read_set, run_suite, write_results

    args = parse_args()
    register_all_modules()
    with user_errors('transfer'):
        if args.jobs < 1:
            raise ValueError(f'--jobs {args.jobs} must be at least 1.')
        sets = [read_set(name) for name in args.sets]
        twice = {s.name for s in sets if [other.name for other in sets].count(s.name) > 1}
        if twice:
            raise ValueError(f'--sets names {", ".join(sorted(twice))} twice.')
        jobs = plan(sets, parse_backbones(args.backbone), args.variants, args.seeds, args.out.resolve())
        results = run_suite(jobs, args.jobs, tell=lambda line: print(line, flush=True))
        written = write_results(results, args.out) + _draw(results, args.out)
    print(f'\n{markdown(results)}\n' + '\n'.join(f'  {path}' for path in written))


def _draw(results: list, folder: Path) -> list[Path]:
    """Draw the pictures of every variant."""
    from xlearner_mm.downstream import bar_plot, radar_plot

    paths = []
    for variant in dict.fromkeys(r.variant for r in results):
        own = [r for r in results if r.variant == variant]
        figures = {'bars': bar_plot(own)}
        if len({r.set for r in own}) >= 3:
            figures['radar'] = radar_plot(own)
        for kind, figure in figures.items():
            paths.append(folder / f'{kind}_{variant}.png')
            atomic_figure(figure, paths[-1], dpi=150)
    return paths


if __name__ == '__main__':
    main()
