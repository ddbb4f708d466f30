"""BN statistics of a student, before its export: ``mim run xlearner_mm reestimate_norms CKPT OUT`` runs this file."""

import argparse
from collections.abc import Sequence
from typing import Optional

from xlearner_mm.setup_env import register_all_modules
from xlearner_mm.utils import user_errors


def parse_args(arguments: Optional[Sequence[str]] = None) -> argparse.Namespace:
    """Read the command line.

    Args:
        arguments (Sequence[str], optional): Arguments; those of the process by default.

    Returns:
        argparse.Namespace: What they say.
    """
    parser = argparse.ArgumentParser(description='Estimate the BN statistics of a squeezed student anew')
    parser.add_argument('checkpoint', help='checkpoint of an X-Learner run, saved in the squeeze')
    parser.add_argument('out', help='checkpoint to write')
    parser.add_argument('--steps', type=int, default=100, help='training steps whose images are used, 100 by default')
    parser.add_argument('--task', help='use the sources of this task only; all by default')
    return parser.parse_args(arguments)


def main() -> None:
    """Estimate what the command line asks for; a user's error is one line without a traceback."""
    args = parse_args()
    with user_errors('reestimate_norms'):
        register_all_modules()
        from xlearner_mm.transfer import reestimate_norms
        out = reestimate_norms(args.checkpoint, args.out, args.steps, args.task)
        print(f'wrote {out}; export it as any checkpoint')


if __name__ == '__main__':
    main()
