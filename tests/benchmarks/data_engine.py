"""Measures of the data engine, each with its limit: ``python tests/benchmarks/data_engine.py [--json FILE]``.

Exits 1 if a limit is missed. One thread a process, as the runner's loaders set it. mmengine's ``InfiniteSampler`` and
mmdet's ``MultiSourceSampler`` are measured in the same run.
"""

import argparse
import itertools
import logging
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / 'tests')]

import cv2  # noqa: E402
import numpy as np  # noqa: E402
import torch  # noqa: E402
from large_sources import IMAGES_A_STEP, make_sampler  # noqa: E402
from measure import Measure, report  # noqa: E402
from mmdet.datasets.samplers import MultiSourceSampler  # noqa: E402
from mmengine.dataset import InfiniteSampler  # noqa: E402
from served import (  # noqa: E402
    BATCH,
    images_and_labels,
    joint_loader,
    median_ratio,
    serving_times,
    stock_configs,
    timed,
    write_photographs,
)
from torch.utils.data import ConcatDataset  # noqa: E402

import broken_run  # noqa: E402
from broken_inputs import CASES  # noqa: E402
from xlearner_mm.datasets import MultiSourceBatchSampler, multi_source_batch_sampler, permute  # noqa: E402
from xlearner_mm.setup_env import check_libraries, register_all_modules  # noqa: E402


def scale() -> Iterator[Measure]:
    """Sources of 10^9, 10^8 and 10^6 samples; each sampler in a process of its own."""
    script = str(Path(__file__).with_name('large_sources.py'))
    ours, mmengine_, mmdet_ = ([float(x) for x in subprocess.run(
        [sys.executable, script, kind], check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()[-1].split()]
        for kind in ('ours', 'mmengine', 'mmdet'))
    beside = [f'mmengine InfiniteSampler over 10^7: {mmengine_[i]:.0f} {unit}; mmdet MultiSourceSampler over 10^7, '
              f'10^6, 10^6: {mmdet_[i]:.0f} {unit}' for i, unit in enumerate(('ms', 'MB'))]
    yield Measure('construction and first batch of 10^9, 10^8 and 10^6, ms', ours[0], 50, beside[0])
    yield Measure('the same, MB of memory', ours[1], 5, beside[1])


def rate() -> Iterator[Measure]:
    """Indices a second of the sampler as a loader iterates it."""
    batches = iter(make_sampler())
    theirs = iter(InfiniteSampler(range(10**7), seed=0))
    next(batches), next(theirs)
    rates = []
    for _ in range(5):
        ours = timed(lambda: [next(batches) for _ in range(5000)])
        infinite = timed(lambda: [next(theirs) for _ in range(10**6)])
        rates.append((5000 * IMAGES_A_STEP / ours, 10**6 / infinite))
    ours, infinite = map(statistics.median, zip(*rates))
    yield Measure('indices a second', ours, 5e6, f'mmengine InfiniteSampler, constructed: {infinite:.3g}', True)


def orders() -> Iterator[Measure]:
    """Every sample once an epoch, and orders that differ."""
    sizes = [*range(1, 2001), *(2**k + d for k in range(11, 18) for d in (-2, -1, 0, 1, 2))]
    wrong = 0
    for size in sizes:
        for epoch in (0, 1):
            seen = np.bincount(permute(np.arange(size), size, 0, 'source', epoch), minlength=size)
            wrong += not (len(seen) == size and (seen == 1).all())
    yield Measure('epochs in which a sample comes twice or never', wrong, 0, f'{2 * len(sizes)} epochs of 1 to 131074')
    order = {s: permute(np.arange(5000), 5000, 0, s, 0) for s in ('a', 'b')}
    same = float((order['a'] == order['b']).mean())
    theirs = iter(MultiSourceSampler(ConcatDataset([range(5000)] * 2), 2, [1, 1], seed=0))
    drawn = np.array(list(islice(theirs, 2000))).reshape(-1, 2)
    their_same = float((drawn[:, 0] == drawn[:, 1] - 5000).mean())
    yield Measure('positions at which two sources of equal length have the same index, share', same, 0.002,
                  f'chance: 0.0002; mmdet MultiSourceSampler: {their_same:.3g}')


def ratios() -> Iterator[Measure]:
    """Images drawn against their ratio of 1:4 in batches of 2."""
    steps, worst = 1000, 0.0
    batches = iter(make_sampler(2, dict(a=1000, b=1000), schedule='mixed', ratios=dict(a=1, b=4)))
    drawn = 0
    for step in range(1, steps + 1):
        drawn += sum(key.source == 'a' for key in next(batches))
        worst = max(worst, abs(drawn - step * 2 / 5))
    theirs = list(islice(iter(MultiSourceSampler(ConcatDataset([range(1000)] * 2), 2, [1, 4], seed=0)), 2 * steps))
    their_share = sum(index < 1000 for index in theirs) / len(theirs)
    yield Measure('images too many or too few at any of 1000 steps, 1:4 in batches of 2', worst, 1,
                  f'mmdet MultiSourceSampler: {abs(their_share - 0.2) * 2 * steps:.0f} (1:1 instead of 1:4)')
    turns = iter(make_sampler(dict(a=4, b=4, c=4), dict(a=10, b=20, c=70), schedule='alternate', ratios='proportional'))
    counts, worst = dict.fromkeys('abc', 0), 0.0
    for step in range(1, steps + 1):
        counts[next(turns)[0].source] += 1
        worst = max(worst, *(abs(counts[s] - step * share) for s, share in dict(a=.1, b=.2, c=.7).items()))
    yield Measure('turns too many or too few at any of 1000 steps, 1:2:7', worst, 1, 'exact shares')


def resume(sources: dict[str, dict]) -> Iterator[Measure]:
    """The first batch at iteration 10^6 against that of a fresh start: keys of large sources, and loaded images."""
    large = make_sampler()
    ratio = _late_to_fresh(large, dict.fromkeys(large.sizes, 64), lambda: next(iter(large)), 301)
    yield Measure('first keys after resuming at iteration 10^6, 10^9, 10^8 and 10^6 samples, ratio', ratio, 1.2,
                  'a fresh start, 301 interleaved pairs')
    loader = joint_loader(sources)
    ratio = _late_to_fresh(loader.batch_sampler, BATCH, lambda: next(iter(loader)), 31)
    iterator = iter(loader)
    replayed = timed(lambda: [next(iterator) for _ in range(30)]) / 30 * 10**6
    yield Measure('first batch after resuming at iteration 10^6, ratio', ratio, 1.2,
                  f'a fresh start; replaying every batch as mmengine does: {replayed / 3600:.0f} h, from 30 batches')


def _late_to_fresh(sampler: MultiSourceBatchSampler, batch_size: dict[str, int], first: Callable, pairs: int) -> float:
    """Ratio of the times of a first batch, each after setting the sampler to iteration 10^6 or 0, pairs of any seed."""
    fresh = sampler.initial_state()
    late = dict(fresh, step=10**6, positions={source: 10**6 * size for source, size in batch_size.items()})
    times: list[list[float]] = [[], []]
    for pair in range(pairs):
        for state, seconds in zip((fresh, late), times, strict=True):
            sampler.set_state(dict(state, seed=pair))  # or one of the two would always have the larger images
            seconds.append(timed(first))
    return median_ratio(times[1][1:], times[0][1:])


def same_bytes(sources: dict[str, dict]) -> Iterator[Measure]:
    """Images and labels, augmentations on, for any number of workers and after any resume."""
    steps, expected, different = 10, [], 0
    for workers in (0, 1, 2, 4):
        torch.manual_seed(workers), np.random.seed(workers), random.seed(workers)
        batches = [list(images_and_labels(batch)) for batch in islice(iter(joint_loader(sources, workers)), steps)]
        expected = expected or batches
        different += sum(a != b for a, b in zip(batches, expected, strict=True))
    yield Measure('batches with other bytes for 1, 2 and 4 workers', different, 0, f'0 workers, {3 * steps} batches')
    different = 0
    for workers in (0, 2):
        loader = joint_loader(sources, workers)
        state = loader.batch_sampler.initial_state()
        for step in range(steps):
            loader.batch_sampler.set_state(state)
            batches = [list(images_and_labels(batch)) for batch in islice(iter(loader), 2)]
            different += sum(a != b for a, b in zip(batches, expected[step:], strict=False))
            state = loader.batch_sampler.next_state(state)
    yield Measure('batches with other bytes after a resume at each step', different, 0,
                  f'no resume, {4 * steps - 2} batches')


def world_sizes() -> Iterator[Measure]:
    """Sample ids of all ranks together for 1, 2 and 4 ranks, by step; the mixed ones by source."""
    sizes, wrong, compared = dict(a=1000, b=37, c=20011), 0, 0
    settings = dict(
        joint=(dict(a=8, b=4, c=16), {}),
        mixed=(24, dict(ratios=dict(a=1, b=2, c=3))),
        alternate=(dict(a=8, b=4, c=16), dict(ratios=dict(a=1, b=2, c=3))))
    for schedule, (batch_size, options) in settings.items():
        expected = None
        for world_size in (1, 2, 4):
            shrunk = batch_size // world_size if isinstance(batch_size, int) else {
                s: size // world_size for s, size in batch_size.items()}
            ranks = [_of_rank(rank, world_size, shrunk, sizes, schedule, options) for rank in range(world_size)]
            steps = [[(k.source, k.epoch, k.index) for s in sizes for batch in parts for k in batch if k.source == s]
                     for parts in zip(*ranks, strict=True)]
            expected = expected or steps
            compared += len(steps)
            wrong += sum(a != b for a, b in zip(steps, expected, strict=True))
    yield Measure('steps with other sample ids for 2 and 4 ranks', wrong, 0, f'1 rank, {compared} steps, 3 schedules')


def _of_rank(rank: int, world_size: int, *settings) -> list:
    batch_size, sizes, schedule, options = settings
    multi_source_batch_sampler.get_dist_info = lambda: (rank, world_size)
    try:
        sampler = make_sampler(batch_size, sizes, schedule=schedule, **options)
        return [list(batch) for batch in islice(iter(sampler), 300)]
    finally:
        multi_source_batch_sampler.get_dist_info = lambda: (0, 1)


def serving(sources: dict[str, dict]) -> Iterator[Measure]:
    """Joint batches against three stock loaders."""
    for workers, batches, repeats in ((0, 12, 24), (2, 40, 6)):
        ours, stock = serving_times(sources, workers, batches, repeats)
        ratio = statistics.median(a / b for a, b in zip(ours, stock, strict=True))
        yield Measure(f'time to serve a joint batch, {workers} workers, ratio', ratio, 1.05,
                      f'sum of three stock DataLoaders, {1000 * statistics.median(stock) / batches:.0f} ms; median of '
                      f'{repeats} interleaved pairs')


def broken_input(folder: Path) -> Iterator[Measure]:
    """Broken inputs of many kinds, through preflight and training."""
    logging.disable(logging.INFO)
    hangs, silent, unclear = [], [], []
    for name, case in CASES.items():
        outcome = broken_run.run_case(case, folder / name)
        faults = broken_run.faults(case, outcome)
        hangs += [name] * (outcome.kind == 'hang')
        silent += [name] * ('passed silently' in faults)
        unclear += [name] * bool(faults)
        print('.' if not faults else f'\n{name}: {faults} {outcome.message}', end='', flush=True)
    kinds = f'{len(CASES)} kinds of broken input'
    yield Measure('broken inputs that hang', len(hangs), 0, kinds)
    yield Measure('broken inputs that pass silently', len(silent), 0, kinds)
    yield Measure('broken inputs whose message lacks source, file or mend', len(unclear), 0, kinds)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--json', type=Path, help='file for the measures')
    args = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(0)
    register_all_modules()
    start = time.time()
    with tempfile.TemporaryDirectory() as folder:
        sources = stock_configs(write_photographs(Path(folder, 'photographs'), 48))
        measures = list(itertools.chain(
            scale(), rate(), orders(), ratios(), resume(sources), same_bytes(sources), world_sizes(),
            serving(sources), broken_input(Path(folder, 'broken'))))
    title = f'Data engine, {check_libraries()} stack, 1 thread, {time.time() - start:.0f} s'
    return report(title, measures, args.json)


if __name__ == '__main__':
    sys.exit(main())
