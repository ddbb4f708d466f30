"""Processes that are ranks of one group; a module of its own, so that a new process can import it quickly."""

import os
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
import torch.multiprocessing as mp


def spawn(function: Callable[..., None], world: int, folder: Path, *args: Any, method: str = 'spawn') -> list[Any]:
    """Run a function on ranks that are processes; give what each of them saved as ``<rank>.pth``.

    A ``fork`` has nothing to import, and must not have run much.
    """
    with socket.socket() as s:
        s.bind(('localhost', 0))
        port = s.getsockname()[1]
    mp.start_processes(function, (world, port, str(folder), *args), world, start_method=method)
    return [torch.load(Path(folder) / f'{rank}.pth', weights_only=False) for rank in range(world)]


@contextmanager
def group(rank: int, world: int, port: int) -> Iterator[None]:
    """A group of processes of one thread each, which end with it.

    Nobody closes it: torch 2.1 waits for the threads of gloo with the GIL in its hand, which they may need to let go of
    the tensors of the last messages, and both wait for ever.
    """
    torch.set_num_threads(1)
    os.environ.update(RANK=str(rank), WORLD_SIZE=str(world), MASTER_ADDR='localhost', MASTER_PORT=str(port))
    dist.init_process_group('gloo')
    yield
    dist.barrier()  # none leaves while another one waits for its messages
    sys.stdout.flush()
    os._exit(0)
