"""What a step of the ResNet-50 recipes costs on many GPUs: ``python tests/benchmarks/scale_plan.py [--tflops ...]``.

Operations and kept bytes of a source's image are counted on the CPU, by one forward and backward of the recipe's own
model; bytes of gradients by its parameters. Times are computed of them with the figures of a GPU and a network that the
command line gives: a plan, no measurement. See docs/scale.md for the formula. About 3 minutes and 12 GB.
"""

import argparse
import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / 'tests')]

import torch  # noqa: E402
from mmengine.config import Config  # noqa: E402
from mmengine.registry import MODELS  # noqa: E402
from torch import nn  # noqa: E402
from torch.utils.flop_counter import FlopCounterMode  # noqa: E402

import tiny  # noqa: E402
from xlearner_mm.engine.reduction_plan import LAST_PART  # noqa: E402
from xlearner_mm.setup_env import register_all_modules  # noqa: E402
from xlearner_mm.utils import text_table  # noqa: E402

RECIPES = dict(hard_sharing='configs/baselines/hard_sharing_resnet50_8xb92.py',
               expansion='configs/xlearner/xlearner_resnet50_8xb92.py')
# A source a task: what its images are like and how many of them a GPU has.
SOURCES = dict(imagenet1k=('photos', (224, 224)), coco=('boxes', (800, 1088)), ade20k=('maps', (512, 512)))
BYTES_A_PARAMETER = 4 + 4 + 8 + 4  # weight, gradient, AdamW's two averages, the bucket that is sent (fp32)


class Cost(NamedTuple):
    """What a source's image costs."""

    flops: float  # forward and backward
    kept: float  # bytes of activations until the backward pass, fp32


class Gpu(NamedTuple):
    """Figures of a GPU and its network."""

    tflops: float
    utilisation: float
    inside: float  # GB a second of one GPU in a node of 8
    between: float  # GB a second of one GPU between nodes
    latency: float  # microseconds of a message and hop


def batch(kind: str, size: tuple[int, int], number: int) -> dict[str, Any]:
    """Generated images of the recipe's size."""
    data = tiny.batch(kind, number, min(size))
    for sample in data['data_samples']:
        sample.set_metainfo(dict(img_shape=size, ori_shape=size))
    data['inputs'] = [torch.randint(0, 256, (3, *size), dtype=torch.uint8) for _ in range(number)]
    return data


def cost(model: nn.Module, source: str) -> Cost:
    """Count a forward and a backward of a source."""
    kind, size = SOURCES[source]
    number = 1 if kind == 'boxes' else 2  # pooled BN wants two
    kept: dict[int, int] = {}

    def note(tensor: torch.Tensor) -> torch.Tensor:
        if not isinstance(tensor, nn.Parameter):
            storage = tensor.untyped_storage()
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    processed = model.data_preprocessor({source: batch(kind, size, number)}, True)
    with FlopCounterMode(display=False) as counter:
        with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
            loss = model.parse_losses(model(**processed, mode='loss'))[0]
        loss.backward()
    return Cost(counter.get_total_flops() / number, sum(kept.values()) / number)


def plan(costs: dict[str, Cost], images: dict[str, int], gradients: dict[str, int], gpus: int, gpu: Gpu) -> list[float]:
    """Give seconds of computation, of the reductions, of those that nothing hides, and of the step."""
    speed = gpu.tflops * 1e12 * gpu.utilisation
    compute = sum(images[source] * costs[source].flops for source in costs) / speed
    bandwidth = (gpu.inside if gpus <= 8 else gpu.between) * 1e9
    size = sum(gradients.values())
    ring = 2 * (gpus - 1) / gpus * size / bandwidth
    waits = math.ceil(size / 25e6) * gpu.latency * 1e-6 * 2 * math.log2(gpus)
    # What the earlier sources alone reach is sent while the last one runs; the rest in its backward (two thirds of it).
    last = list(costs)[-1]
    hidden = 2 / 3 * images[last] * costs[last].flops / speed
    exposed = max(ring + waits - hidden, ring * 25e6 / LAST_PART / size)
    return [compute, ring + waits, exposed, compute + exposed]


def of_recipe(name: str, gpu: Gpu) -> tuple[list[Sequence[str]], list[Sequence[str]]]:
    """Rows of the two tables of a recipe."""
    cfg = Config.fromfile(ROOT / RECIPES[name])
    cfg.model.branches = {source: cfg.model.branches[source] for source in SOURCES}
    cfg.model.pop('squeeze', None)
    model = MODELS.build(cfg.model).train()
    costs = {source: cost(model, source) for source in SOURCES}
    images = {source: cfg.train_dataloader.batch_size[source] for source in SOURCES}
    gradients = {'backbone' if key == 'backbone' else key: sum(
        4 * p.numel() for n, p in model.named_parameters() if n.startswith(prefix) and p.grad is not None)
        for key, prefix in [('backbone', 'backbone.'), *((s, f'branches.{s}.') for s in SOURCES)]}
    parameters = sum(gradients.values()) / 4
    largest = max(images[source] * costs[source].kept for source in SOURCES)
    counted = [(name, source, f'{"×".join(map(str, SOURCES[source][1]))}', str(images[source]),
                f'{costs[source].flops / 1e9:.0f}', f'{costs[source].kept / 2**20:.0f}',
                f'{gradients[source] / 2**20:.0f}') for source in SOURCES]
    planned = []
    for gpus in (8, 64, 512):
        compute, reduce, exposed, step = plan(costs, images, gradients, gpus, gpu)
        planned.append((name, str(gpus), f'{1e3 * compute:.0f}', f'{1e3 * reduce:.0f}', f'{1e3 * exposed:.1f}',
                        f'{1e3 * step:.0f}', f'{gpus * sum(images.values()) / step:.0f}',
                        f'{2 * (gpus - 1) / gpus * sum(gradients.values()) / 2**20:.0f}',
                        f'{(parameters * BYTES_A_PARAMETER + largest / 2) / 2**30:.1f}'))
    return counted, planned


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    for option, value, what in (
            ('tflops', 312, 'TFLOP/s of a GPU in bf16'), ('utilisation', 0.35, 'share of it that convolutions reach'),
            ('inside', 200, 'GB/s of a GPU in a node'), ('between', 20, 'GB/s of a GPU between nodes'),
            ('latency', 10, 'microseconds of a message and hop')):
        parser.add_argument(f'--{option}', type=float, default=value, help=f'{what} (default: {value})')
    gpu = Gpu(**vars(parser.parse_args()))
    torch.set_num_threads(2)
    register_all_modules()
    counted, planned = zip(*(of_recipe(name, gpu) for name in RECIPES), strict=True)
    for rows, words, header in (
            (counted, 3, 'recipe source pixels images GFLOP/image kept_MB/image gradient_MB'),
            (planned, 1, 'recipe GPUs compute_ms reduce_ms not_hidden_ms step_ms images/s sent_MB memory_GB')):
        print(*text_table(sum(rows, []), header.split(), words), sep='\n')


if __name__ == '__main__':
    main()
