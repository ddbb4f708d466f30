"""All figures of a comparison, each made in a process of its own, once."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path

from .backbone import Backbone
from .downstream_set import DownstreamSet
from .job import Job
from .results import Result

_HEARTBEAT = 30.0  # seconds


@dataclass
class _Running:
    job: Job
    process: subprocess.Popen
    log: Path
    begin: float = field(default_factory=time.monotonic)


def plan(sets: Sequence[DownstreamSet], backbones: Sequence[Backbone], variants: Sequence[str], seeds: Sequence[int],
         root: Path) -> list[Job]:
    """List the jobs of a suite.

    Args:
        sets (Sequence[DownstreamSet]): The sets.
        backbones (Sequence[Backbone]): The backbones.
        variants (Sequence[str]): The variants; ``knn`` only for sets that are probed.
        seeds (Sequence[int]): The seeds.
        root (Path): Folder of the suite.

    Returns:
        list[Job]: One for each figure.
    """
    return [Job(s, backbone, variant, seed, root)
            for variant, s, seed, backbone in product(variants, sets, seeds, backbones)
            if variant != 'knn' or s.protocol == 'linear_probe']


def run_suite(jobs: Sequence[Job], at_once: int = 1, tell: Callable[[str], None] = print) -> list[Result]:
    """Run the jobs that are not finished.

    Args:
        jobs (Sequence[Job]): All jobs.
        at_once (int): How many processes run side by side; where there are as many GPUs, each has its own.
        tell (Callable): What is called with every line of progress.

    Returns:
        list[Result]: One for each job.

    Raises:
        RuntimeError: If a job failed; the others are finished before.
    """
    waiting = [job for job in jobs if job.result() is None]
    tell(f'{len(jobs)} figures; {len(jobs) - len(waiting)} are there already.')
    slots: dict[int, _Running] = {}
    failed, number, told = [], 0, time.monotonic()
    try:
        while waiting or slots:
            for slot in sorted(set(range(at_once)) - set(slots))[:len(waiting)]:
                slots[slot] = _start(waiting.pop(0), slot, at_once)
            time.sleep(0.2)
            for slot, running in list(slots.items()):
                if running.process.poll() is not None:
                    number += 1
                    del slots[slot]
                    error = _finished(running, f'[{number}/{number + len(slots) + len(waiting)}]', tell)
                    failed += [error] if error else []
            if slots and time.monotonic() - told > _HEARTBEAT:
                told = time.monotonic()
                tell('  ' + '; '.join(f'{r.job.title}: {progress(r.log)}' for r in slots.values()))
    finally:
        for running in slots.values():
            running.process.kill()
    if failed:
        raise RuntimeError('\n'.join(failed))
    return [result for job in jobs if (result := job.result()) is not None]


def progress(log: Path) -> str:
    """Read how far a job is.

    Args:
        log (Path): Its output.

    Returns:
        str: Iterations done and time left, by the last line that tells them.
    """
    text = log.read_text(errors='replace')
    found = re.findall(r'(?:Iter|Epoch)\(train\) +(\[.*?\d+/\d+\]).*?eta: (.+?)  ', text)
    return f'{found[-1][0]}, {found[-1][1]} left' if found else 'running'


def _start(job: Job, slot: int, at_once: int) -> _Running:
    config = job.prepare()
    env = dict(os.environ, PYTHONUNBUFFERED='1')
    if 'CUDA_VISIBLE_DEVICES' not in env and _gpus() >= at_once > 1:
        env['CUDA_VISIBLE_DEVICES'] = str(slot)
    log = job.folder / 'output.log'
    with open(log, 'ab') as file:
        command = [sys.executable, '-m', 'xlearner_mm.downstream.run_job', str(config), str(os.getpid())]
        return _Running(job, subprocess.Popen(command, env=env, stdout=file, stderr=subprocess.STDOUT), log)


def _gpus() -> int:
    import torch

    return torch.cuda.device_count()


def _finished(running: _Running, number: str, tell: Callable[[str], None]) -> str:
    """Tell how a job ended; gives what went wrong."""
    result, seconds = running.job.result(), time.monotonic() - running.begin
    if running.process.returncode == 0 and result is not None:
        tell(f'{number} {running.job.title}: {result.percent:.1f} ({seconds:.0f} s)')
        return ''
    tail = '\n'.join(running.log.read_text(errors='replace').rstrip().splitlines()[-12:])
    tell(f'{number} {running.job.title}: failed, see {running.log}')
    return (f'{running.job.title} failed with exit code {running.process.returncode}:\n{tail}\nThe whole log: '
            f'{running.log}')
