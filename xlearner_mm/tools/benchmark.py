"""Measure the train steps of a config: ``mim run xlearner_mm benchmark CONFIG`` runs this file.

It builds model, data and optimizer of the config, measures joint steps and the stock steps of each source alone in the
same process, and prints tables. Nothing is trained: learning rates are 0, and hooks are left out.
"""

import argparse
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Optional

import torch
from mmengine.config import Config
from mmengine.dist import init_dist, is_distributed, is_main_process
from mmengine.logging import MMLogger
from mmengine.utils.dl_utils import set_multi_processing

from xlearner_mm.setup_env import register_all_modules
from xlearner_mm.utils import add_config_arguments, atomic_write, init_cpu_distributed, read_config, user_errors


def parse_args(arguments: Optional[Sequence[str]] = None) -> argparse.Namespace:
    """Read the command line.

    Args:
        arguments (Sequence[str], optional): Arguments; those of the process by default.

    Returns:
        argparse.Namespace: What they say.
    """
    parser = argparse.ArgumentParser(description='Measure speed and memory of the train steps of an X-Learner config')
    add_config_arguments(parser)
    parser.add_argument('--steps', type=int, default=20, help='steps that are measured; 20 by default')
    parser.add_argument('--warmup', type=int, default=3, help='steps before them; 3 by default')
    parser.add_argument('--phase', choices=['expansion', 'squeeze'], default='expansion')
    parser.add_argument('--sources', nargs='+', default=[], help='sources whose data is read; all by default')
    parser.add_argument('--no-stock', action='store_true', help='leave the stock models of the sources out')
    parser.add_argument('--json', type=Path, help='file for all that was measured')
    parser.add_argument('--threads', type=int, help="threads of the main process; torch's own number by default")
    parser.add_argument('--launcher', choices=['none', 'pytorch', 'slurm', 'mpi'], default='none')
    # Newer versions of torch.distributed.launch pass --local-rank, older ones --local_rank.
    parser.add_argument('--local-rank', '--local_rank', type=int, default=0)
    args = parser.parse_args(arguments)
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    return args


def check_args(args: argparse.Namespace) -> None:
    """Refuse what cannot be done, before anything is built.

    Args:
        args (argparse.Namespace): The arguments.

    Raises:
        ValueError: If the number of threads or the file is not valid.
    """
    if args.threads is not None and args.threads < 1:
        raise ValueError(f'--threads {args.threads} must be 1 or more.')
    if args.json is not None and args.json.is_dir():
        raise ValueError(f'--json {args.json} is a folder; give a file.')


def benchmark(args: argparse.Namespace) -> dict[str, Any]:
    """Measure what the command line asks for.

    Args:
        args (argparse.Namespace): The arguments, checked.

    Returns:
        dict: See :func:`run_benchmark`; it holds the overridden settings, too.

    Raises:
        TypeError: If the config is not one of an X-Learner run.
        ValueError: If a setting is wrong.
    """
    from xlearner_mm.benchmarking import Options, run_benchmark

    options = Options(args.steps, args.warmup, args.phase, args.sources, not args.no_stock)
    cfg = read_config(args)
    _set_up_process(cfg, args.launcher)
    if args.threads is not None:
        torch.set_num_threads(args.threads)
    return dict(run_benchmark(cfg, options), cfg_options=args.cfg_options)


def _set_up_process(cfg: Config, launcher: str) -> None:
    """Do what the runner does before it builds anything; of weights only warnings are told."""
    MMLogger.get_current_instance().setLevel('WARNING')
    env = cfg.get('env_cfg') or {}
    torch.backends.cudnn.benchmark = bool(env.get('cudnn_benchmark', False))
    set_multi_processing(**(env.get('mp_cfg') or {}), distributed=launcher != 'none')
    init_cpu_distributed(launcher)
    if launcher != 'none' and not is_distributed():
        init_dist(launcher, **(env.get('dist_cfg') or {}))


def main() -> None:
    """Measure, and let the first process tell; a user's error is one line without a traceback."""
    args = parse_args()
    with user_errors('benchmark'):
        check_args(args)
        register_all_modules()
        result = benchmark(args)
        if is_main_process():
            from xlearner_mm.benchmarking import benchmark_table

            print(benchmark_table(result))
            if args.json is not None:
                atomic_write(args.json, json.dumps(result, indent=2).encode())
                print(f'wrote {args.json}')


if __name__ == '__main__':
    main()
