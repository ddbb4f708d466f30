"""Test a checkpoint: ``mim test xlearner_mm CONFIG --checkpoint CKPT`` runs this file.

It tests X-Learner configs, every source with its own metrics, and stock configs of mmdet, mmseg and mmpretrain alike.
"""

import argparse
import json
import os
import os.path as osp
from collections.abc import Sequence
from typing import Any, Optional

from mmengine.config import Config
from mmengine.dist import is_main_process
from mmengine.registry import RUNNERS
from mmengine.runner import Runner

from xlearner_mm.setup_env import register_all_modules
from xlearner_mm.utils import add_config_arguments, atomic_write, init_cpu_distributed, read_config, user_errors


def parse_args(arguments: Optional[Sequence[str]] = None) -> argparse.Namespace:
    """Read the command line.

    Args:
        arguments (Sequence[str], optional): Arguments; those of the process by default.

    Returns:
        argparse.Namespace: What they say.
    """
    parser = argparse.ArgumentParser(description='Test a checkpoint, every source with its own metrics')
    add_config_arguments(parser)
    parser.add_argument('checkpoint', help='checkpoint of a run of the config')
    parser.add_argument('--work-dir', help='folder of the logs; work_dirs/<config> by default')
    parser.add_argument('--out', help='JSON file to write the metrics to')
    parser.add_argument('--launcher', choices=['none', 'pytorch', 'slurm', 'mpi'], default='none')
    # Newer versions of torch.distributed.launch pass --local-rank, older ones --local_rank.
    parser.add_argument('--local-rank', '--local_rank', type=int, default=0)
    args = parser.parse_args(arguments)
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    return args


def load_config(args: argparse.Namespace) -> Config:
    """Read the config and apply the command line to it.

    Args:
        args (argparse.Namespace): The arguments.

    Returns:
        Config: The config of the test. One without test data has the validation data, all of it.

    Raises:
        ValueError: If it has neither.
    """
    cfg = read_config(args)
    cfg.launcher = args.launcher
    if args.work_dir is not None:
        cfg.work_dir = args.work_dir
    elif cfg.get('work_dir') is None:
        cfg.work_dir = osp.join('work_dirs', osp.splitext(osp.basename(args.config))[0])
    cfg.resume, cfg.load_from = False, args.checkpoint
    if cfg.get('test_dataloader') is None:
        if cfg.get('val_dataloader') is None:
            raise ValueError(f'{args.config} has neither test_dataloader nor val_dataloader. Add test_dataloader, '
                             'test_evaluator and test_cfg.')
        cfg.test_dataloader, cfg.test_evaluator = cfg.val_dataloader, cfg.val_evaluator
        cfg.test_cfg = {key: value for key, value in cfg.val_cfg.items() if key in ('fp16', 'delta_mtl')}
        if cfg.val_cfg.get('type') == 'xlearner_mm.MultiSourceValLoop':
            cfg.test_cfg.type = 'xlearner_mm.MultiSourceTestLoop'
    return cfg


def test(cfg: Config) -> dict[str, Any]:
    """Test what a config asks for.

    Args:
        cfg (Config): Config with test data and ``load_from``.

    Returns:
        dict: Metrics by name.

    Raises:
        ValueError: If the checkpoint does not fit.
    """
    from xlearner_mm.engine import WholeCheckpointHook
    from xlearner_mm.engine.model_of import model_of
    from xlearner_mm.models import XLearner

    runner = RUNNERS.build(cfg) if 'runner_type' in cfg else Runner.from_cfg(cfg)
    if isinstance(model_of(runner), XLearner):
        runner.register_hook(WholeCheckpointHook())
    return runner.test()


def main() -> None:
    """Test what the command line asks for; a user's error is one line without a traceback."""
    args = parse_args()
    with user_errors('test'):
        register_all_modules()
        cfg = load_config(args)
        init_cpu_distributed(args.launcher)
        metrics = test(cfg)
        if args.out is not None and is_main_process():
            atomic_write(args.out, json.dumps(metrics, indent=1, default=lambda value: value.tolist()).encode())
            print(f'wrote {args.out}')


if __name__ == '__main__':
    main()
