"""Starting several processes where there is no GPU."""

import os

import torch
import torch.distributed as dist


def init_cpu_distributed(launcher: str) -> None:
    """Join the process group by gloo on a machine without GPUs; do nothing elsewhere.

    mmengine's ``init_dist`` selects a CUDA device whatever the backend, and leaves alone a group that exists.

    Args:
        launcher (str): ``none``, ``pytorch``, ``slurm`` or ``mpi``, as mmengine names them.

    Raises:
        ValueError: If the launcher did not say which of the processes this is, or is not supported on a CPU.
    """
    if launcher == 'none' or torch.cuda.is_available():
        return
    if launcher != 'pytorch':
        raise ValueError(f'--launcher {launcher} needs GPUs. On CPUs use --launcher pytorch, started by torchrun or '
                         'torch.distributed.launch.')
    missing = [name for name in ('RANK', 'WORLD_SIZE', 'MASTER_ADDR', 'MASTER_PORT') if name not in os.environ]
    if missing:
        raise ValueError(f'--launcher pytorch needs the environment variables {", ".join(missing)}: start this script '
                         'with torchrun or torch.distributed.launch, or drop --launcher.')
    dist.init_process_group('gloo')
