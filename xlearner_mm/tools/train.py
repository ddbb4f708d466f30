"""Train a config: ``mim train xlearner_mm CONFIG`` runs this file.

It trains X-Learner configs and, for transfers, stock configs of mmdet, mmseg and mmpretrain alike.
"""

import argparse
import os
import os.path as osp

from mmengine.config import Config
from mmengine.registry import RUNNERS
from mmengine.runner import Runner, find_latest_checkpoint

from xlearner_mm.setup_env import register_all_modules
from xlearner_mm.utils import add_config_arguments, init_cpu_distributed, read_config


def parse_args() -> argparse.Namespace:
    """Read the command line.

    Returns:
        argparse.Namespace: The arguments.
    """
    parser = argparse.ArgumentParser(description='Train an X-Learner or one of its transfers')
    add_config_arguments(parser)
    parser.add_argument('--work-dir', help='folder of logs and checkpoints; work_dirs/<config> by default')
    parser.add_argument(
        '--resume', nargs='?', const='auto',
        help='resume from a checkpoint; without a path from the latest one in the work folder, if any')
    parser.add_argument('--amp', action='store_true', help='train in automatic mixed precision')
    parser.add_argument('--launcher', choices=['none', 'pytorch', 'slurm', 'mpi'], default='none')
    # Newer versions of torch.distributed.launch pass --local-rank, older ones --local_rank.
    parser.add_argument('--local-rank', '--local_rank', type=int, default=0)
    args = parser.parse_args()
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    return args


def load_config(args: argparse.Namespace) -> Config:
    """Read the config and apply the command line to it.

    Args:
        args (argparse.Namespace): The arguments.

    Returns:
        Config: The config of the run.
    """
    cfg = read_config(args)
    cfg.launcher = args.launcher
    if args.work_dir is not None:
        cfg.work_dir = args.work_dir
    elif cfg.get('work_dir') is None:
        cfg.work_dir = osp.join('work_dirs', osp.splitext(osp.basename(args.config))[0])
    if args.amp:
        squeezes = [hook.get('squeeze') or {} for hook in cfg.get('custom_hooks') or ()]
        for owner in (cfg, *squeezes):
            if 'optim_wrapper' in owner:
                owner['optim_wrapper'].update(type='AmpOptimWrapper')
                owner['optim_wrapper'].setdefault('loss_scale', 'dynamic')
    if args.resume not in (None, 'auto'):
        cfg.resume, cfg.load_from = True, args.resume
    elif args.resume == 'auto' and find_latest_checkpoint(cfg.work_dir) is not None:
        cfg.resume, cfg.load_from = True, None  # otherwise it is the first start, from the config's own load_from
    return cfg


def main() -> None:
    """Train the config of the command line."""
    args = parse_args()
    register_all_modules()
    cfg = load_config(args)
    init_cpu_distributed(args.launcher)
    runner = RUNNERS.build(cfg) if 'runner_type' in cfg else Runner.from_cfg(cfg)
    runner.train()


if __name__ == '__main__':
    main()
