"""One X-Learner config of stock configs: ``mim run xlearner_mm compose --source NAME=LIBRARY:CONFIG --out FILE``."""

import argparse
from pathlib import Path

from xlearner_mm.setup_env import check_libraries
from xlearner_mm.utils import atomic_write, user_errors


def parse_args() -> argparse.Namespace:
    """Read the command line.

    Returns:
        argparse.Namespace: The arguments.
    """
    parser = argparse.ArgumentParser(description='Make one X-Learner config of stock configs')
    parser.add_argument(
        '--source', action='append', required=True, metavar='NAME=LIBRARY:CONFIG',
        help='a source and its stock config, e.g. coco=mmdet:faster_rcnn/faster-rcnn_r50_fpn_1x_coco.py; once a source')
    parser.add_argument(
        '--task', action='append', default=[], metavar='NAME=TASK',
        help='task of a source; by default cls, det or seg, by its library')
    parser.add_argument('--student', help='task whose backbone the student is built as, or LIBRARY:CONFIG; by default '
                        'the first task')
    parser.add_argument('--expansion-iters', type=int, default=90000, help='default: %(default)s')
    parser.add_argument('--squeeze-iters', type=int, default=90000, help='default: %(default)s')
    parser.add_argument('--lr', type=float, default=1e-4, help='learning rate of AdamW (default: %(default)s)')
    parser.add_argument('--scratch', action='store_true', help='train sub-backbones whole, from random weights')
    parser.add_argument('--out', type=Path, required=True, help='config file to write')
    parser.add_argument('--force', action='store_true', help='overwrite a file that is there')
    return parser.parse_args()


def pairs(options: list[str], flag: str) -> dict[str, str]:
    """Read options of the form ``NAME=VALUE``.

    Args:
        options (list[str]): The options.
        flag (str): Flag that they were given by, for errors.

    Returns:
        dict[str, str]: Value by name.

    Raises:
        ValueError: If one has another form, or two have one name.
    """
    found: dict[str, str] = {}
    for option in options:
        name, equals, value = option.partition('=')
        if not (name and equals and value):
            raise ValueError(f'{flag} {option!r} must be NAME=VALUE.')
        if name in found:
            raise ValueError(f'{flag} names {name!r} twice: {found[name]} and {value}. Give every source a name of its '
                             'own.')
        found[name] = value
    return found


def main() -> None:
    """Compose what the command line asks for, and say what was taken over."""
    args = parse_args()
    with user_errors('compose'):
        check_libraries()  # before the import below fails on what is missing, without a mend
        from xlearner_mm.compose import compose

        if args.out.exists() and not args.force:
            raise ValueError(f'{args.out} exists, and may have been edited. Give another --out, or --force.')
        composition = compose(
            pairs(args.source, '--source'), pairs(args.task, '--task'), args.student, args.expansion_iters,
            args.squeeze_iters, args.lr, args.scratch)
        atomic_write(args.out, composition.text.encode())
    print(f'{composition.report}\n\n{args.out} is written: + taken over, - left out. Check it, then\n'
          f'  mim run xlearner_mm preflight {args.out}\n  mim train xlearner_mm {args.out}')


if __name__ == '__main__':
    main()
