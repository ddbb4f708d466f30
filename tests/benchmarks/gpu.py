"""A train step of every kind on one GPU: ``python tests/benchmarks/gpu.py [--json FILE]``.

Exits 1 if a limit is missed; without a GPU it says so and exits 0. fp32 without TF32, bf16 and fp16 by mmengine's
AmpOptimWrapper, and NCCL with one rank; hard sharing, expansion, squeeze, and the expansion with SyncBN. Losses are
compared with those of the CPU in fp32; memory and images a second are told. (A file cuda.py in this folder would be
imported by torch in the place of the package of that name.)
"""

import argparse
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple, Optional

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / 'tests')]

import torch  # noqa: E402
import torch.distributed as dist  # noqa: E402
from measure import Measure, report  # noqa: E402
from mmcv.ops import get_compiling_cuda_version  # noqa: E402
from mmengine.optim import AmpOptimWrapper, OptimWrapper  # noqa: E402
from mmengine.registry import MODELS  # noqa: E402
from torch import nn  # noqa: E402

import tiny  # noqa: E402
from xlearner_mm.engine import MultiSourceDistributed  # noqa: E402
from xlearner_mm.models import Phase  # noqa: E402
from xlearner_mm.setup_env import check_libraries, register_all_modules  # noqa: E402

STEPS, IMAGES, SIZE = 20, 8, 128
KINDS = ('hard sharing', 'expansion', 'expansion, SyncBN', 'squeeze')
PRECISIONS: dict[str, Optional[str]] = dict(fp32=None, bf16='bfloat16', fp16='float16')
LIMITS = dict(fp32=1e-3, bf16=5e-2, fp16=1e-2)


class Result(NamedTuple):
    """What some steps gave."""

    losses: dict[str, float]  # of the first step
    megabytes: float
    images_per_second: float


def sources_with_ops() -> tuple[str, ...]:
    """Sources whose models run on a GPU with the mmcv that is installed."""
    if get_compiling_cuda_version() != 'not available':
        return 'photos', 'boxes', 'maps'
    print('The installed mmcv has no operators for a GPU: the detector is left out.')
    return 'photos', 'maps'


def build(kind: str, sources: tuple[str, ...]) -> nn.Module:
    """A tiny X-Learner without randomness in its step."""
    torch.manual_seed(0)
    cfg = tiny.xlearner(squeeze=kind == 'squeeze', expanded=kind != 'hard sharing')
    cfg.branches.maps.model.decode_head.dropout_ratio = 0.0
    for source in set(cfg.branches) - set(sources):
        cfg.branches.pop(source)
    if 'SyncBN' in kind:
        for backbone in cfg.backbone.sub_backbones.values():
            backbone.norm_cfg = dict(type='SyncBN', requires_grad=True)
    model = MODELS.build(cfg)
    model.init_weights()
    if kind == 'squeeze':
        model.set_phase(Phase.SQUEEZE)
    return model.train()


def run(kind: str, device: str, precision: str, distributed: bool, sources: tuple[str, ...], steps: int) -> Result:
    """Do some train steps."""
    model: Any = build(kind, sources).to(device)
    if distributed:
        model = MultiSourceDistributed(model)
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3, momentum=0.9)
    dtype = PRECISIONS[precision]
    optim = OptimWrapper(optimizer) if dtype is None else AmpOptimWrapper(
        loss_scale='dynamic' if precision == 'fp16' else 1.0, dtype=dtype, optimizer=optimizer)
    data = tiny.batches(*sources, n=IMAGES, size=SIZE)
    on_gpu = device != 'cpu'
    if on_gpu:
        torch.cuda.reset_peak_memory_stats()
    losses: dict[str, float] = {}
    begin = 0.0
    for step in range(steps):
        logged = model.train_step(data, optim, random_key=(0, step), step=step)
        if step == 0:
            losses = {key: float(value) for key, value in logged.items() if 'loss' in key}
            begin = time.perf_counter()
    if on_gpu:
        torch.cuda.synchronize()
    seconds = time.perf_counter() - begin
    megabytes = torch.cuda.max_memory_allocated() / 2**20 if on_gpu else 0.0
    return Result(losses, megabytes, (steps - 1) * IMAGES * len(sources) / max(seconds, 1e-9))


def measures(device: str, sources: tuple[str, ...]) -> Iterator[Measure]:
    """Each kind of step in each precision against the CPU."""
    for kind in KINDS:
        # SyncBN refuses tensors of the CPU; with one rank it is BN.
        expected = run(kind.split(',')[0], 'cpu', 'fp32', False, sources, 1).losses
        for precision in PRECISIONS if device != 'cpu' else ('fp32', ):
            for distributed in (False, True):
                if 'SyncBN' in kind and not distributed:
                    continue
                got = run(kind, device, precision, distributed, sources, STEPS)
                worst = max(abs(got.losses[key] - value) / max(abs(value), 1) for key, value in expected.items())
                name = f'{kind}, {precision}{", NCCL" * distributed}: largest relative difference of a loss'
                yield Measure(name, worst, LIMITS[precision],
                              f'CPU in fp32, {len(expected)} losses; {got.megabytes:.0f} MB, '
                              f'{got.images_per_second:.0f} images a second')


def main() -> int:
    """Take the measures, if there is a GPU.

    Returns:
        int: Exit code.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--json', type=Path, help='file for the measures')
    args = parser.parse_args()
    if not torch.cuda.is_available():
        print('No GPU here: nothing was measured.')
        return 0
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    torch.set_num_threads(4)
    stack = check_libraries()
    register_all_modules()
    os.environ.update(RANK='0', WORLD_SIZE='1', LOCAL_RANK='0', MASTER_ADDR='localhost', MASTER_PORT='29544')
    dist.init_process_group('nccl')
    found = list(measures('cuda', sources_with_ops()))
    return report(f'{stack} stack, torch {torch.__version__}, {torch.cuda.get_device_name()}, {IMAGES} images of '
                  f'{SIZE} px a source, 4 threads of the CPU', found, args.json)


if __name__ == '__main__':
    sys.exit(main())
