"""Export a backbone or a whole model: ``mim run xlearner_mm export CKPT OUT --to mmdet`` runs this file."""

import argparse

from xlearner_mm.setup_env import check_libraries, register_all_modules
from xlearner_mm.utils import user_errors

TARGETS = ('mmdet', 'mmseg', 'mmpretrain', 'torchvision', 'timm')
FORMATS = ('pth', 'safetensors')


def parse_args() -> argparse.Namespace:
    """Read the command line.

    Returns:
        argparse.Namespace: The arguments.
    """
    parser = argparse.ArgumentParser(description='Export a backbone or a whole model out of an X-Learner checkpoint')
    parser.add_argument('checkpoint', help='checkpoint of an X-Learner run')
    parser.add_argument('out', help='file to write')
    parser.add_argument('--to', choices=TARGETS, help='library that will load it; with --branch that of the source')
    what = parser.add_mutually_exclusive_group()
    what.add_argument(
        '--part', default='student', help='student, a task, or "backbone" for a run with one shared backbone')
    what.add_argument('--branch', metavar='SOURCE', help='the whole stock model of a source, with its config')
    parser.add_argument('--format', choices=FORMATS, default='pth', help='default: %(default)s')
    args = parser.parse_args()
    if args.branch is None and args.to is None:
        parser.error('--to is required without --branch')
    if args.branch is not None and args.format != 'pth':
        parser.error('--branch writes pth only: the loaders of OpenMMLab read no safetensors')
    return args


def main() -> None:
    """Export what the command line asks for and print how to use it."""
    args = parse_args()
    with user_errors('export'):
        check_libraries()  # before the import below fails on what is missing, without a mend
        from xlearner_mm.transfer import export_backbone, export_branch

        register_all_modules()
        if args.branch is not None:
            done = export_branch(args.checkpoint, args.out, args.branch, args.to)
        else:
            done = export_backbone(args.checkpoint, args.out, args.to, args.part, args.format)
    lines = ''.join(f'  {line}\n' for line in done.usage)
    print(f'{done.target} loads {done} with 0 missing and 0 unexpected keys and gives {done.agreement}. To use it:\n'
          f'{lines}' + '\n'.join(done.notes))


if __name__ == '__main__':
    main()
