"""Export a plain backbone: ``mim run xlearner_mm export CKPT OUT --to mmdet`` runs this file."""

import argparse

from xlearner_mm.setup_env import check_libraries, register_all_modules


def main() -> None:
    """Export what the command line asks for and print how to use it."""
    check_libraries()  # before the import below fails on what is missing, without a mend
    from xlearner_mm.transfer import TARGETS, export_backbone

    parser = argparse.ArgumentParser(description='Export a plain backbone out of an X-Learner checkpoint')
    parser.add_argument('checkpoint', help='checkpoint of an X-Learner run')
    parser.add_argument('out', help='file to write')
    parser.add_argument('--to', choices=TARGETS, required=True, help='library that will load it')
    parser.add_argument(
        '--part', default='student', help='student, a task, or "backbone" for a run with one shared backbone')
    args = parser.parse_args()
    register_all_modules()
    out = export_backbone(args.checkpoint, args.out, args.to, args.part)
    print(f'{args.to} loads {out} with 0 missing and 0 unexpected keys and gives equal features. To use it:')
    if args.to == 'torchvision':
        print(f"  model.load_state_dict(torch.load('{out}', weights_only=True), strict=False)  # all but fc")
    else:
        print(f"  backbone=dict(..., init_cfg=dict(type='Pretrained', checkpoint='{out}'))")


if __name__ == '__main__':
    main()
