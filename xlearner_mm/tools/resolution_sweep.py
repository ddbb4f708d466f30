"""See how a student agrees with its teachers by image size: ``mim run xlearner_mm resolution_sweep CKPT``."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Optional

from xlearner_mm.setup_env import register_all_modules
from xlearner_mm.utils import atomic_figure, user_errors


def parse_args(arguments: Optional[Sequence[str]] = None) -> argparse.Namespace:
    """Read the command line.

    Args:
        arguments (Sequence[str], optional): Arguments; those of the process by default.

    Returns:
        argparse.Namespace: What they say.
    """
    parser = argparse.ArgumentParser(description='Hint error of a squeezed student against the size of the images')
    parser.add_argument('checkpoint', help='checkpoint of an X-Learner run, saved in the squeeze')
    parser.add_argument('--sizes', type=int, nargs='+', required=True, help='lengths of the shorter side, in pixels')
    parser.add_argument('--steps', type=int, default=4, help='training steps whose images are used, 4 by default')
    parser.add_argument('--out', default='resolution_sweep.png', help='PNG to write; resolution_sweep.png by default')
    return parser.parse_args(arguments)


def main() -> None:
    """Compare what the command line asks for; a user's error is one line without a traceback."""
    args = parse_args()
    with user_errors('resolution_sweep'):
        if Path(args.out).suffix.lower() != '.png':
            raise ValueError(f'--out {args.out} must end in .png: a PNG is written.')
        register_all_modules()
        from xlearner_mm.transfer.resolution_sweep import resolution_sweep, sweep_picture, sweep_table

        errors = resolution_sweep(args.checkpoint, args.sizes, args.steps)
        atomic_figure(sweep_picture(errors), args.out, dpi=120)
        print(f'{sweep_table(errors)}\n\nhint loss / 1 - cosine of the last level; wrote {args.out}')


if __name__ == '__main__':
    main()
