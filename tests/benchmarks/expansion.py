"""Measures of the expansion, each with its limit: ``python tests/benchmarks/expansion.py [--json FILE]``.

Exits 1 if a limit is missed. Three ResNet-18 at 128 px, 8 images, one thread; times are medians of interleaved repeats.
"""

import argparse
import multiprocessing
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / 'tests')]

import torch  # noqa: E402
from measure import Measure, report  # noqa: E402
from mmengine.config import ConfigDict  # noqa: E402
from mmengine.registry import MODELS  # noqa: E402
from torch import Tensor  # noqa: E402
from torch.autograd.graph import saved_tensors_hooks  # noqa: E402

from xlearner_mm.models.expansion import plain_pass  # noqa: E402
from xlearner_mm.setup_env import check_libraries, register_all_modules  # noqa: E402

TASKS, TASK, REPEATS = ('cls', 'det', 'seg'), 'det', 15


def build() -> Any:
    """Three ResNet-18 with the paper's links, which have weights."""
    torch.manual_seed(0)
    backbone = dict(type='mmdet.ResNet', depth=18, norm_eval=False)
    model = MODELS.build(ConfigDict(
        type='xlearner_mm.ExpandedBackbone', sub_backbones=dict.fromkeys(TASKS, backbone),
        reconciliation=dict(zero_init=False)))
    model.init_weights()
    model.train()
    return model


def backward(outputs: list[Tensor]) -> None:
    """Back-propagate a sum of all outputs."""
    sum(output.sum() for output in outputs).backward()


def plain(model: Any, x: Tensor, task: str, last: int) -> list[Tensor]:
    """An auxiliary pass."""
    with torch.no_grad(), plain_pass(model.sub_backbones[task]):
        return model.staged[task].features(x, last)


def links_alone(model: Any, read: dict[str, list[Tensor]], own: list[Tensor]) -> list[Tensor]:
    """All links of a task on features that are there already."""
    return [model.reconciliation(TASK, read, stage, own[stage].detach()) for stage in model.reconciliation.stages]


def times(model: Any, x: Tensor) -> Iterator[Measure]:
    """A task's step against the sum of its parts."""
    last = model.reconciliation.last_read
    others = [task for task in TASKS if task != TASK]
    read = {task: plain(model, x, task, last) for task in others}
    own = plain(model, x, TASK, 3)
    parts: dict[str, Callable[[], Any]] = dict(
        whole=lambda: backward(model(x, TASK)),
        own=lambda: backward(model.staged[TASK].features(x)),
        auxiliary=lambda: [plain(model, x, task, last) for task in others],
        links=lambda: backward(links_alone(model, read, own)))
    seconds: dict[str, list[float]] = {name: [] for name in parts}
    for repeat in range(REPEATS + 1):
        for name, run in parts.items():
            start = time.perf_counter()
            run()
            if repeat:
                seconds[name].append(time.perf_counter() - start)
            model.zero_grad()
    ratios = [whole / sum(rest) for whole, *rest in zip(*seconds.values(), strict=True)]
    alone = ', '.join(f'{name} {1000 * statistics.median(values):.0f} ms' for name, values in seconds.items())
    yield Measure("forward and backward of a task's batch, ratio", statistics.median(ratios), 1.10,
                  f'own forward and backward, auxiliary forwards and links, each alone: {alone}')


def graph(model: Any, x: Tensor) -> Iterator[Measure]:
    """What the auxiliary passes leave in the graph, against features that were there before."""
    others = [task for task in TASKS if task != TASK]
    read = {task: plain(model, x, task, model.reconciliation.last_read) for task in others}
    whole, given = model(x, TASK), model._expand(TASK, read, x, None)
    yield Measure('graph nodes held for auxiliary passes', nodes(whole) - nodes(given), 0,
                  f'{nodes(given)} nodes with features that were computed before')
    held, held_given = held_bytes(lambda: model(x, TASK)), held_bytes(lambda: model._expand(TASK, read, x, None))
    features = sum(map.numel() * 4 for maps in read.values() for map in maps)
    alone = held_bytes(lambda: model.staged[TASK].features(x))
    yield Measure('activations held beyond own, links and the features read, MB', (held - held_given) / 1e6, 0,
                  f'a step holds {held / 1e6:.0f} MB, that of a plain backbone {alone / 1e6:.0f}; the features read '
                  f'are {features / 1e6:.0f} of the difference')


def peaks(x: Tensor) -> Iterator[Measure]:
    """Peak memory of a first step, in a process of its own each, against that of a plain backbone."""
    def step(expanded: bool) -> float:
        model = build()
        return peak(lambda: backward(model(x, TASK) if expanded else model.staged[TASK].features(x)))

    whole, alone = in_a_child(step, True), in_a_child(step, False)
    yield Measure("peak memory of a task's step, ratio", whole / alone, len(TASKS),
                  f'{whole:.0f} MB, that of a plain backbone {alone:.0f} MB')


def peak(run: Callable[[], Any]) -> float:
    """Most memory in MB that the process takes more than before, as the Linux kernel counts it."""
    Path('/proc/self/clear_refs').write_text('5')  # the peak begins anew
    status = dict(line.split(':', 1) for line in Path('/proc/self/status').read_text().splitlines())
    before = int(status['VmRSS'].split()[0])
    run()
    status = dict(line.split(':', 1) for line in Path('/proc/self/status').read_text().splitlines())
    return (int(status['VmHWM'].split()[0]) - before) / 1024


def in_a_child(run: Callable[..., float], *args: Any) -> float:
    """Run a function in a fork of this process."""
    receiving, sending = multiprocessing.Pipe(duplex=False)
    child = multiprocessing.get_context('fork').Process(target=lambda: sending.send(run(*args)))
    child.start()
    sending.close()  # so that a child that fails is the end of the waiting
    value = receiving.recv()
    child.join()
    return value


def nodes(outputs: list[Tensor]) -> int:
    """Count the nodes of the graph behind some outputs."""
    seen: set[Any] = set()
    waiting = [output.grad_fn for output in outputs]
    while waiting:
        node = waiting.pop()
        if node is not None and node not in seen:
            seen.add(node)
            waiting += [following for following, _ in node.next_functions]
    return len(seen)


def held_bytes(run: Callable[[], Any]) -> int:
    """Bytes of all tensors that a forward pass keeps for the backward one, parameters apart."""
    held: dict[int, tuple[int, Tensor]] = {}

    def _note(tensor: Tensor) -> Tensor:
        if not isinstance(tensor, torch.nn.Parameter):
            storage = tensor.untyped_storage()
            held[storage.data_ptr()] = storage.nbytes(), tensor
        return tensor

    with saved_tensors_hooks(_note, lambda tensor: tensor):
        kept = run()
    del kept
    return sum(size for size, _ in held.values())


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--json', type=Path, help='file for the measures')
    args = parser.parse_args()
    torch.set_num_threads(1)
    register_all_modules()
    x = torch.randn(8, 3, 128, 128)
    memory = list(peaks(x))  # before anything else has run: torch keeps what it freed
    model = build()
    measures = [*times(model, x), *graph(model, x), *memory]
    return report(f'Expansion, 3 ResNet-18 at 128 px, {check_libraries()} stack, 1 thread', measures, args.json)


if __name__ == '__main__':
    sys.exit(main())
