"""Measures of joint training, each with its limit: ``python tests/benchmarks/scale.py [--parts ...] [--json FILE]``.

Exits 1 if a limit is missed. One thread a process, medians of interleaved repeats. ``step``: the joint step against the
stock libraries' own; ``memory``: its peak, in a fork each; ``ranks``: 2 and 4 gloo processes against one; ``kill``: a
rank that is killed; ``weak``: weak scaling, data included; ``weighting``: the plug-ins against references. About 15
minutes on two idle cores.
"""

import argparse
import copy
import ctypes
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / 'tests')]

import torch  # noqa: E402
from expansion import in_a_child, peak  # noqa: E402
from measure import Measure, report  # noqa: E402
from mmengine.config import ConfigDict  # noqa: E402
from mmengine.optim import OptimWrapper  # noqa: E402
from mmengine.registry import MODELS  # noqa: E402
from scale_ranks import equality, killed, weak_scaling  # noqa: E402
from scale_weighting import weightings  # noqa: E402
from torch import nn  # noqa: E402

import tiny  # noqa: E402
from xlearner_mm.setup_env import check_libraries, register_all_modules  # noqa: E402
from xlearner_mm.utils import with_scope  # noqa: E402

CHANNELS, SIZE, IMAGES, REPEATS = (64, 128, 256, 512), 128, 8, 15
MANY = 64  # images where memory is measured: gradients (45 MB) wait while later sources run, whatever the batch
M_MMAP_THRESHOLD = -3  # of glibc's malloc.h
SOURCES = ('photos', 'boxes', 'maps')
LIBRARY = dict(photos='mmpretrain', boxes='mmdet', maps='mmseg')


def resnet18(library: str = 'mmdet') -> dict[str, Any]:
    """ResNet-18 as it is."""
    return tiny.resnet(library, base_channels=64, stem_channels=64)


def branches() -> dict[str, dict[str, Any]]:
    """Stock models on ports: a classifier, Faster R-CNN and FCN."""
    models = dict(photos=tiny.classifier(channels=CHANNELS[-1]), boxes=tiny.two_stage_detector(channels=CHANNELS),
                  maps=tiny.segmentor(channels=CHANNELS[-1]))
    models['maps']['data_preprocessor']['size'] = (SIZE, SIZE)
    return models


def joint(*sources: str) -> nn.Module:
    """The X-Learner of some sources on one backbone."""
    tasks = dict(photos='cls', boxes='det', maps='seg')
    cfg = dict(type='xlearner_mm.XLearner', backbone=resnet18(), branches={
        source: dict(task=tasks[source], model=branches()[source]) for source in sources})
    return MODELS.build(ConfigDict(cfg)).train()


def stock(source: str) -> nn.Module:
    """The stock model of a source with a backbone of its own, as its library trains it."""
    model = branches()[source]
    model['backbone'] = resnet18(LIBRARY[source])
    return MODELS.build(ConfigDict(with_scope(model))).train()


def stepper(model: nn.Module, data: Any) -> Callable[[], None]:
    """A train step with its optimizer, of the model's own ``train_step``."""
    optim = OptimWrapper(torch.optim.SGD(model.parameters(), lr=1e-4, momentum=0.9, weight_decay=1e-4))
    return lambda: (torch.manual_seed(0), model.train_step(copy.deepcopy(data), optim))


def step_time() -> Iterator[Measure]:
    """Joint steps against the stock libraries' steps on the same batches."""
    data = {source: tiny.batch(source, IMAGES, SIZE) for source in SOURCES}
    runs = {}
    for source in SOURCES:  # what is compared runs one after the other, in turns the one or the other first
        runs[f'stock {source}'] = stepper(stock(source), data[source])
        runs[f'alone {source}'] = stepper(joint(source), {source: data[source]})
    runs['joint'] = stepper(joint(*SOURCES), data)
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for repeat in range(REPEATS + 2):
        for name, run in list(runs.items())[::1 if repeat % 2 else -1]:
            begin = time.perf_counter()
            run()
            if repeat > 1:
                seconds[name].append(time.perf_counter() - begin)

    def told(*names: str) -> str:
        return ' + '.join(f'{1000 * statistics.median(seconds[name]):.0f}' for name in names)

    stocks = [f'stock {source}' for source in SOURCES]
    sums = [sum(row) for row in zip(*(seconds[name] for name in stocks), strict=True)]
    yield Measure('joint step of three sources, ratio', _ratio(seconds['joint'], sums), 1.03,
                  f'{told("joint")} ms, stock mmpretrain, mmdet, mmseg {told(*stocks)} ms')
    for source in SOURCES:
        yield Measure(f'step of {source} alone, ratio', _ratio(seconds[f'alone {source}'], seconds[f'stock {source}']),
                      1.02, f'{told(f"alone {source}")} ms, stock {LIBRARY[source]} {told(f"stock {source}")} ms')


def _ratio(mine: list[float], theirs: list[float]) -> float:
    """Median of the ratios of what was measured one after the other."""
    return statistics.median(a / b for a, b in zip(mine, theirs, strict=True))


def memory() -> Iterator[Measure]:
    """Peak memory of two steps, model, optimizer and images included, in a process of its own each."""
    def of_steps(*sources: str) -> float:
        def run() -> None:
            ctypes.CDLL(None).mallopt(M_MMAP_THRESHOLD, 2**17)  # what is freed is given back, and counts no more
            step = stepper(joint(*sources), {source: tiny.batch(source, MANY, SIZE) for source in sources})
            step()
            step()

        return peak(run)

    def of_one_backward() -> float:
        def run() -> None:
            ctypes.CDLL(None).mallopt(M_MMAP_THRESHOLD, 2**17)
            model = joint(*SOURCES)
            optim = torch.optim.SGD(model.parameters(), lr=1e-4, momentum=0.9)
            for _ in range(2):
                _at_once(model)
                optim.step()
                optim.zero_grad()

        return peak(run)

    alone = {source: in_a_child(of_steps, source) for source in SOURCES}
    whole, at_once = in_a_child(of_steps, *SOURCES), in_a_child(of_one_backward)
    largest = max(alone, key=lambda source: alone[source])
    first = in_a_child(of_steps, largest, *(source for source in SOURCES if source != largest))
    yield Measure('peak memory of the joint step, ratio', whole / alone[largest], 1.10,
                  f'{MANY} images a source: {whole:.0f} MB, {largest} alone {alone[largest]:.0f} MB, '
                  f'one backward for all {at_once:.0f} MB; with {largest} first in the config {first:.0f} MB')


def _at_once(model: nn.Module) -> None:
    """All sources' losses summed before one backward, as a model of one loss does it."""
    losses = [model.parse_losses(model(**model.data_preprocessor({source: tiny.batch(source, MANY, SIZE)}, True),
                                       mode='loss'))[0] for source in SOURCES]
    sum(losses).backward()


PARTS: dict[str, Callable[[], Iterator[Measure]]] = dict(
    memory=memory, step=step_time, ranks=equality, kill=killed, weak=weak_scaling, weighting=weightings)


def main() -> int:
    """Take the measures.

    Returns:
        int: Exit code.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--json', type=Path, help='file for the measures')
    parser.add_argument('--parts', nargs='+', choices=PARTS, default=list(PARTS), help='all by default')
    args = parser.parse_args()
    torch.set_num_threads(1)
    stack = check_libraries()
    register_all_modules()
    measures = [measure for part in args.parts for measure in PARTS[part]()]
    return report(f'{stack} stack, torch {torch.__version__}, 1 thread a process', measures, args.json)


if __name__ == '__main__':
    sys.exit(main())
