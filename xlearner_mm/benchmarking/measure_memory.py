"""Peak memory of train steps."""

import copy
import ctypes
import multiprocessing
import sys
from collections.abc import Callable, Mapping, Sequence
from itertools import chain
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Optional

import torch
from mmengine.dist import is_distributed

STATUS, RESET = Path('/proc/self/status'), Path('/proc/self/clear_refs')
PATIENCE = 300  # seconds; a fork of a process with threads may wait for ever for a lock


def measure_memory(side: Any, batches: Sequence[Mapping[str, Any]]) -> tuple[Optional[int], str]:
    """Measure the peak of a model's first steps: parameters and buffers, and the most that the steps take besides.

    On the CPU the steps are done in a fork of this process, whose resident memory the Linux kernel tells.

    Args:
        side (JointSide or StockSide): The model with its optimizer; on a GPU it does the steps.
        batches (Sequence[Mapping]): Batches by source. A single one is trained twice: the second step of an optimizer
            has its state besides.

    Returns:
        tuple[int or None, str]: Bytes, None if it could not be measured; and how, or why not.
    """
    own = [copy.deepcopy(batch) for batch in (batches if len(batches) > 1 else [*batches, *batches])]

    def _run() -> None:
        for batch in own:
            side.step(batch)

    device = next(side.model.parameters()).device
    held = sum(t.numel() * t.element_size() for t in chain(side.model.parameters(), side.model.buffers()))
    if device.type == 'cuda':
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        _run()
        torch.cuda.synchronize()
        return held + torch.cuda.max_memory_allocated() - before, 'torch.cuda.max_memory_allocated'
    if device.type != 'cpu':
        return None, f'not measured on a device of type {device.type}'
    if is_distributed():
        return None, 'not measured for several processes on the CPU'
    if not sys.platform.startswith('linux') or not RESET.exists():
        return None, 'not measured on this platform: the CPU needs /proc of Linux'
    found = _in_a_fork(_run)
    return (held + found, 'resident memory of a fork, 1 thread') if isinstance(found, int) else (None, found)


def _in_a_fork(run: Callable[[], None]) -> Any:
    """Give the growth of the peak in bytes, or why there is none."""
    context = multiprocessing.get_context('fork')
    receiving, sending = context.Pipe(duplex=False)
    child = context.Process(target=_send_growth, args=(run, sending), daemon=True)
    child.start()
    sending.close()
    try:
        return receiving.recv() if receiving.poll(PATIENCE) else 'not measured: the fork did not come to an end'
    except EOFError:
        return 'not measured: the fork died'
    finally:
        child.kill()  # it has told all; the way out of a process with many modules takes a second
        child.join()


def _send_growth(run: Callable[[], None], sending: Connection) -> None:
    torch.set_num_threads(1)  # threads of OpenMP do not come along
    try:
        libc = ctypes.CDLL(None)
        if hasattr(libc, 'malloc_trim'):  # glibc keeps memory that was freed; what is used again would not be seen
            libc.malloc_trim(0)
        RESET.write_text('5')  # the peak begins anew
        before, files = _status('VmRSS'), _status('RssFile')
        run()
        # A fork counts the code of libraries anew when it first runs it, some 50 MB.
        sending.send(_status('VmHWM') - before - (_status('RssFile') - files))
    except Exception as error:  # the steps that are timed will raise it again if it is not the fork's
        sending.send(f'not measured: {error}')


def _status(key: str) -> int:
    lines = dict(line.split(':', 1) for line in STATUS.read_text().splitlines())
    return int(lines[key].split()[0]) * 1024
