"""Samplers over large sources: ``python tests/benchmarks/large_sources.py ours|mmengine|mmdet`` prints ms and MB."""

import gc
import re
import sys
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT)]

from mmdet.datasets.samplers import MultiSourceSampler  # noqa: E402
from mmengine.dataset import DefaultSampler, InfiniteSampler  # noqa: E402
from torch.utils.data import ConcatDataset  # noqa: E402

from xlearner_mm.datasets import MultiSourceBatchSampler, MultiSourceDataset  # noqa: E402

LARGE = dict(a=10**9, b=10**8, c=10**6)
_IMAGES = dict(a=64, b=64, c=64)
IMAGES_A_STEP = sum(_IMAGES.values())


def make_sampler(batch_size: Any = None, sizes: dict[str, int] = LARGE, **options: Any) -> MultiSourceBatchSampler:
    """Our sampler over sources that are nothing but their length."""
    dataset = MultiSourceDataset({source: dict(task='cls', dataset=range(size)) for source, size in sizes.items()})
    return MultiSourceBatchSampler(DefaultSampler(dataset, shuffle=False, seed=0), batch_size or _IMAGES, **options)


def first_batch(kind: str, small: bool) -> None:
    """Construct a sampler and draw its first batch."""
    if kind == 'ours':
        next(iter(make_sampler(sizes=dict(a=100, b=100, c=100) if small else LARGE)))
    elif kind == 'mmengine':
        iterator = iter(InfiniteSampler(range(100 if small else 10**7), seed=0))
        [next(iterator) for _ in range(IMAGES_A_STEP)]
    else:
        sizes = (100, 100, 100) if small else (10**7, 10**6, 10**6)
        iterator = iter(MultiSourceSampler(ConcatDataset([range(s) for s in sizes]), IMAGES_A_STEP, [1, 1, 1], seed=0))
        [next(iterator) for _ in range(IMAGES_A_STEP)]


def memory(name: str) -> float:
    """MB of this process, of its peak (VmHWM) or now (VmRSS)."""
    return int(re.search(rf'{name}:\s+(\d+)', Path('/proc/self/status').read_text()).group(1)) / 1024


def main(kind: str) -> None:
    """Print ms and MB of construction and first batch, what is loaded at a first use set aside."""
    first_batch(kind, small=True)
    gc.collect()
    Path('/proc/self/clear_refs').write_text('5')  # the peak begins anew
    before, start = memory('VmRSS'), time.perf_counter()
    first_batch(kind, small=False)
    print(1000 * (time.perf_counter() - start), memory('VmHWM') - before)


if __name__ == '__main__':
    main(sys.argv[1])
