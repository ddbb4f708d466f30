"""What one process of a distributed test does; a module of its own, so that a new process can import it."""

import copy
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any, Optional

import torch
import torch.distributed as dist
from mmengine.optim import OptimWrapper
from mmengine.registry import MODELS
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from rank_group import group
from tiny import batches, two_stage_detector, xlearner
from xlearner_mm.engine import BucketedReducer, MultiSourceDistributed
from xlearner_mm.models.weighting import GradientWeighting
from xlearner_mm.setup_env import register_all_modules

# Sources by step; none of them in all steps of its own, some with none of the parameters of the step before.
SCHEDULES = dict(joint=[('photos', 'boxes', 'maps')], mixed=[('photos', 'boxes'), ('photos', ), ('photos', 'maps')],
                 alternate=[('photos', ), ('boxes', ), ('maps', )])


@MODELS.register_module()
class EqualLengths(GradientWeighting):
    """Makes the gradients of all sources equally long: those of the ranks must have been averaged before."""

    def row_weights(self, gramian: torch.Tensor) -> torch.Tensor:
        return gramian.diagonal().rsqrt()


def build(seed: int = 0, frozen_bn: bool = True, parts: int = 1, **kwargs: Any) -> nn.Module:
    """An X-Learner whose losses are those of its own samples."""
    register_all_modules()
    torch.manual_seed(seed)
    cfg = xlearner(squeeze=False, **kwargs)
    cfg.branches.boxes.model = two_stage_detector()  # FCOS shares its number of positives among the ranks
    for branch in cfg.branches.values() if parts > 1 else ():
        branch.micro_batches = parts
    model = MODELS.build(cfg)
    model.init_weights()
    model.train()
    for module in model.modules():
        if isinstance(module, _BatchNorm) and frozen_bn:
            module.eval()
    return model


def wrap(model: nn.Module, **kwargs: Any) -> OptimWrapper:
    return OptimWrapper(torch.optim.SGD(model.parameters(), lr=0.001, momentum=0.9, weight_decay=1e-3), **kwargs)


def data_of(schedule: str, step: int, rank: int) -> dict[str, Any]:
    sources = SCHEDULES[schedule][step % len(SCHEDULES[schedule])]
    return batches(*sources, seed=10 * step + rank)


def train(world: int, schedule: str, steps: int, accumulation: int, reduce_dtype: Optional[str] = None,
          no_sync: bool = False, **kwargs: Any) -> dict[str, Any]:
    """Train as one of the ranks."""
    rank = dist.get_rank()
    model = MultiSourceDistributed(build(seed=rank, **kwargs), bucket_mb=0.05, reduce_dtype=reduce_dtype)
    start = {name: value.clone() for name, value in model.module.state_dict().items()}
    optim = wrap(model, accumulative_counts=accumulation)
    reduced, in_use, overlapped = [], [], []
    step_of_optim, optim.step = optim.step, lambda: (in_use.append(_bytes_in_use(model)), step_of_optim())
    for step in range(steps * accumulation):
        with model.no_sync() if no_sync and not optim.should_sync() else nullcontext():
            model.train_step(data_of(schedule, step, rank), optim, random_key=(step, rank))
        if optim.should_update():
            reduced.append(model.reducer.reduced_bytes)
            overlapped.append(model.reducer.overlapped)
    return dict(start=start, trained=_trained(model.module), reduced=reduced, in_use=in_use, overlapped=overlapped,
                without=[n for n, p in model.module.named_parameters() if p not in optim.optimizer.state])


def train_in_turn(world: int, schedule: str, steps: int, accumulation: int, **kwargs: Any) -> dict[str, torch.Tensor]:
    """Train on one process on the batches of all ranks in turn, their gradients averaged."""
    model = build(seed=0, **kwargs)
    optim = wrap(model, accumulative_counts=world * accumulation)
    for step in range(steps * accumulation):
        for rank in range(world):
            model.train_step(data_of(schedule, step, rank), optim, random_key=(step, rank))
    return _trained(model)


def _bytes_in_use(model: nn.Module) -> int:
    return sum(p.numel() * p.element_size() for p in model.parameters() if p.grad is not None)


def _trained(model: nn.Module) -> dict[str, torch.Tensor]:
    return {name: value.detach().clone() for name, value in model.named_parameters()}


# By name: schedule, accumulation, steps, what the model is built with, and how ranks train.
EXTRAS: dict[str, tuple[str, int, int, dict, dict]] = {
    'gradient weighting': ('mixed', 2, 4, dict(weighting=dict(type='mmengine.EqualLengths'), expanded=False), {}),
    'micro-batches': ('joint', 1, 3, dict(parts=2), {}),
    'no_sync': ('alternate', 3, 2, {}, dict(no_sync=True)),
    'half the bytes': ('joint', 1, 2, {}, dict(reduce_dtype='bfloat16')),
}


def train_cases(rank: int, world: int, port: int, folder: str, cases: list[tuple[str, int]], steps: int) -> None:
    """Train all cases of schedule and accumulation, then find out what happens with a loss that is not finite."""
    with group(rank, world, port):
        found: dict[Any, Any] = {case: train(world, case[0], steps, case[1]) for case in cases}
        for name, (schedule, accumulation, number, built, trained) in EXTRAS.items():
            try:
                found[name] = train(world, schedule, number, accumulation, **built, **trained)
            except ValueError as error:
                found[name] = str(error)
        found['buffers'] = _buffers_after_a_step(rank)
        found['skipped'] = _skipped(rank, world)
        found['not finite'] = _not_finite(rank, world)
        found['different sources'] = _error(lambda: _differ(rank))
        torch.save(found, f'{folder}/{rank}.pth')


def _buffers_after_a_step(rank: int) -> dict[str, torch.Tensor]:
    model = MultiSourceDistributed(build(seed=rank, frozen_bn=False))
    model.train_step(data_of('joint', 0, rank), wrap(model), random_key=(0, rank))
    return dict(model.module.named_buffers())


def _skipped(rank: int, world: int) -> dict[str, Any]:
    """What a step changes whose loss is not finite on the last rank."""
    model = MultiSourceDistributed(build(frozen_bn=False), bucket_mb=0.05)
    model.module.guard.limit = 1
    optim = wrap(model)
    for step in range(2):
        model.train_step(data_of('joint', step, rank), optim, random_key=(step, rank))
    before = copy.deepcopy(model.state_dict())
    spoiled = data_of('joint', 2, rank)
    if rank == world - 1:
        spoiled['maps']['inputs'] = [torch.full((3, 64, 64), float('nan')) for _ in range(2)]
    model.train_step(spoiled, optim, random_key=(2, rank))
    changed = [name for name, value in model.state_dict().items() if not torch.equal(value, before[name])]
    found = dict(changed=changed, counts=dict(model.module.guard.counts), overlapped=model.reducer.overlapped,
                 gradients=sum(p.grad is not None for p in model.parameters()))
    model.train_step(data_of('joint', 3, rank), optim, random_key=(3, rank))
    return dict(found, after=_trained(model.module))


def _not_finite(rank: int, world: int) -> str:
    model = MultiSourceDistributed(build())
    if rank == world - 1:
        nn.init.constant_(model.module.branches['photos'].head.fc.weight, float('nan'))
    return _error(lambda: model.train_step(data_of('joint', 0, rank), wrap(model)))


def _differ(rank: int) -> None:
    model = MultiSourceDistributed(build())
    model.train_step(batches('boxes' if rank == 1 else 'maps'), wrap(model))


def _error(do: Callable[[], Any]) -> str:
    try:
        do()
    except (FloatingPointError, RuntimeError) as error:
        return f'{type(error).__name__}: {error}'
    return 'none'


def _sum_of_ranks() -> float:
    value = torch.tensor(dist.get_rank() + 1.)
    dist.all_reduce(value)
    return value.item()


class Tangle(nn.Module):
    """Parameters of which each source reaches some, and others now and then."""

    def __init__(self) -> None:
        super().__init__()
        self.parts = nn.ParameterDict({name: nn.Parameter(torch.full((3, ), 2.)) for name in 'abcd'})
        self.asked: list[float] = []

    def run(self, reducer: BucketedReducer, sources: dict[str, tuple[str, ...]], updates: bool = True) -> None:
        """An iteration: a backward a source over the parameters that it reaches this time."""
        reducer.begin(0, dict.fromkeys(sources, 1), updates)
        for number, (source, reached) in enumerate(sources.items(), 1):
            reducer.enter(source)
            self.asked.append(_sum_of_ranks())  # as SyncBN and FCOS do in their forward passes
            sum(((dist.get_rank() + number) * self.parts[name].sum() for name in reached), torch.zeros(())).backward()
        self.asked.append(_sum_of_ranks())  # as a weighting does after the backward passes
        if updates:
            reducer.finish(torch.zeros(2))

    def pop(self) -> dict[str, Any]:
        """The gradients, which are gone then."""
        found = {name: None if p.grad is None else p.grad[0].item() for name, p in self.parts.items()}
        self.zero_grad()
        return found


def reduce_cases(rank: int, world: int, port: int, folder: str) -> None:
    """Reduce the gradients of a tangle, as expected and not."""
    with group(rank, world, port):
        model = Tangle()
        reducer = BucketedReducer(list(model.parameters()), ['one', 'two'], bucket_mb=1e-5)  # a bucket a parameter
        usual = dict(one=('a', 'b'), two=('b', 'c'))
        first = rank == 0
        steps = dict(learned=usual, known=usual, missing=dict(one=('a', ), two=('c', )),
                     missing_here=dict(one=('b', ) if first else ('a', 'b'), two=('c', )),
                     late=dict(one=('a', 'b'), two=('b', 'c', 'd') if first else ('b', 'c')),
                     late_twice=dict(one=('a', 'b', 'c') if first else ('a', 'b'), two=('b', 'c')), again=usual)
        found: dict[str, Any] = {}
        for name, step in steps.items():
            model.run(reducer, step)
            found[name] = dict(model.pop(), bytes=reducer.reduced_bytes, overlapped=reducer.overlapped)
        model.run(reducer, dict(one=('a', 'b')), updates=False)
        model.run(reducer, dict(two=('b', 'c')))
        found['piled up'] = dict(model.pop(), bytes=reducer.reduced_bytes)
        model.run(reducer, dict(one=('a', 'd') if first else ('a', )), updates=False)
        model.run(reducer, dict(one=('a', )))
        found['piled up late'] = dict(model.pop(), bytes=reducer.reduced_bytes)
        found['asked'] = model.asked
        own = [torch.ones(3), None, None] if first else [None, 2 * torch.ones(3), None]
        found['average'] = [None if a is None else a.tolist() for a in reducer.average(own, [torch.zeros(3)] * 3)]
        reducer.synced = False
        found['no_sync'] = _error(lambda: model.run(reducer, usual))
        reducer = BucketedReducer(list(model.parameters()), ['one', 'two'])
        model.run(reducer, dict(one=('a', )) if first else dict(two=('a', )), updates=False)
        found['differed before'] = _error(lambda: model.run(reducer, dict(one=('a', ))))
        torch.save(found, f'{folder}/{rank}.pth')
