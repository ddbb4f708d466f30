"""The measures of ``scale.py`` that need several processes."""

import os
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Optional

import torch
import torch.distributed as dist
from measure import Measure
from mmengine.config import ConfigDict
from mmengine.optim import OptimWrapper
from mmengine.registry import MODELS
from mmengine.runner import Runner

import tiny
import toy
from rank_group import group, spawn
from ranks import SCHEDULES, train_cases, train_in_turn
from xlearner_mm.engine import MultiSourceDistributed

ROOT = Path(__file__).resolve().parents[2]
STEPS, SIZE, PAIRS = 20, 128, 3
CASES = [(schedule, accumulation) for schedule in SCHEDULES for accumulation in (1, 3)]


def equality() -> Iterator[Measure]:
    """Ranks against their batches in turn on one process, and what they send."""
    for world in (2, 4):
        with tempfile.TemporaryDirectory() as folder:
            ranks = spawn(train_cases, world, Path(folder), CASES, STEPS)
        for case in CASES:
            reference = train_in_turn(world, case[0], STEPS, case[1])
            worst = max((rank[case]['trained'][name] - value).abs().max().item()
                        for rank in ranks for name, value in reference.items())
            yield Measure(f'{world} ranks, {case[0]}, accumulation {case[1]}: largest difference of a parameter', worst,
                          1e-5, f'one process, the batches in turn, {STEPS} steps of the optimizer')
        rows = [rank[case] for rank in ranks for case in CASES]
        different = sum(a != b for row in rows for a, b in zip(row['reduced'], row['in_use'], strict=True))
        early = statistics.mean(number for row in rows for number in row['overlapped'])
        yield Measure(f'{world} ranks: steps that reduced other bytes than one copy of the gradients in use', different,
                      0, f'{sum(len(row["reduced"]) for row in rows)} steps, largest {max(rows[0]["reduced"])} bytes; '
                      f'{early:.1f} buckets a step sent before the backward passes were over')


def killed() -> Iterator[Measure]:
    """A rank of a real run is killed; the others must end, and a restart on one rank goes on."""
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        cfg = toy.config(toy.write_data(work / 'data'), work / 'run', 1000, 2000)
        cfg.dump(work / 'config.py')
        launch = [sys.executable, '-m', 'torch.distributed.run', '--nproc_per_node', '2', '--master_port', '29533',
                  str(ROOT / 'xlearner_mm/tools/train.py'), str(work / 'config.py'), '--launcher', 'pytorch']
        environment = dict(os.environ, OMP_NUM_THREADS='1', PYTHONPATH=str(ROOT))
        with open(work / 'log', 'w') as log:
            run = subprocess.Popen(launch, stdout=log, stderr=log, env=environment, cwd=work)
            victim = _wait_for_rank(run, work / 'log')
            begin = time.perf_counter()
            os.kill(victim, signal.SIGKILL)
            try:
                code: Optional[int] = run.wait(120)
            except subprocess.TimeoutExpired:
                code = None
                run.kill()
            seconds = time.perf_counter() - begin
        told = re.findall(r'exitcode *: *-9.*', (work / 'log').read_text())
    yield Measure('seconds until all ranks end after one was killed', seconds if code else float('inf'), 30,
                  f'torchrun, exit code {code}; said: {told[0].strip() if told else "nothing"}')


def _wait_for_rank(run: subprocess.Popen, log: Path) -> int:
    """Wait until training goes on; give the process of the last rank."""
    deadline = time.monotonic() + 180
    while 'Iter(train) [   3/' not in log.read_text() and 'Iter(train) [3/' not in log.read_text().replace(' ', ''):
        if run.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f'The run did not begin to train:\n{log.read_text()[-3000:]}')
        time.sleep(0.2)
    children = Path(f'/proc/{run.pid}/task/{run.pid}/children').read_text().split()
    return int(children[-1])


def weak_scaling() -> Iterator[Measure]:
    """Two processes against one, each with its own batches and workers in the main process."""
    with tempfile.TemporaryDirectory() as folder:
        toy.SIZE = SIZE
        data = toy.write_data(Path(folder) / 'data', dict(photos=32, boxes=32, maps=32))
        # Several pairs: one may be quicker than the next by a point from its first step to its last.
        pairs = [spawn(time_steps, 2, Path(folder), str(data)) for _ in range(PAIRS)]
    alone = [seconds for first, _ in pairs for seconds in first['alone']]
    together = [max(both) for pair in pairs for both in zip(*(rank['together'] for rank in pair), strict=True)]
    ratio = statistics.median(a / b for a, b in zip(alone, together, strict=True))
    yield Measure('weak scaling, 1 to 2 processes: ideal step time in ratio', ratio, 0.9,
                  f'{1000 * statistics.median(alone):.0f} ms alone, {1000 * statistics.median(together):.0f} ms '
                  f'together, data included, ResNet-18, 8 images of 128 px a source, {PAIRS} pairs', at_least=True)


def time_steps(rank: int, world: int, port: int, folder: str, data: str) -> None:
    """Train alone and together in turn, two steps each."""
    toy.SIZE = SIZE
    cfg = toy.config(Path(data), Path(folder) / 'run')
    cfg.train_dataloader.batch_size = dict(photos=8, boxes=8, maps=8)
    loader = Runner.build_dataloader(cfg.train_dataloader, seed=rank)  # before the group: each rank reads all data
    with group(rank, world, port):
        wide = dict(base_channels=64, stem_channels=64)
        branches = dict(
            photos=dict(task='cls', model=tiny.classifier(channels=512)),
            boxes=dict(task='det', model=tiny.two_stage_detector(channels=(64, 128, 256, 512))),
            maps=dict(task='seg', model=tiny.segmentor(channels=512)))
        cfg = ConfigDict(type='xlearner_mm.XLearner', backbone=tiny.resnet(**wide), branches=branches)
        model = MODELS.build(cfg).train()
        wrapped = MultiSourceDistributed(model)
        optim = OptimWrapper(torch.optim.SGD(model.parameters(), lr=0.0))
        batches = iter(loader)
        found: dict[str, list[float]] = dict(alone=[], together=[])
        for _ in range(10):
            if rank == 0:
                found['alone'].append(_seconds(model, optim, batches))
            dist.barrier()
            found['together'].append(_seconds(wrapped, optim, batches))
            dist.barrier()
        torch.save({name: values[2:] for name, values in found.items()}, f'{folder}/{rank}.pth')


def _seconds(model: Any, optim: OptimWrapper, batches: Any, steps: int = 2) -> float:
    """Time of a step, data included."""
    begin = time.perf_counter()
    for _ in range(steps):
        model.train_step(next(batches), optim)
    return (time.perf_counter() - begin) / steps
