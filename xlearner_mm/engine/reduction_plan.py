"""Which gradients are averaged together, and when they are complete."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from torch import nn


@dataclass
class ReductionPlan:
    """Buckets of parameters in the order in which their gradients get complete in a step (ours).

    Args:
        expected (list[int]): Gradients that each parameter gets in this iteration.
        buckets (list[list[int]]): Places of the parameters, in the order of the reductions, which is that of all ranks.
    """

    expected: list[int]
    buckets: list[list[int]]
    bucket_of: dict[int, int] = field(init=False)

    def __post_init__(self) -> None:
        self.bucket_of = {i: number for number, bucket in enumerate(self.buckets) for i in bucket}


def make_plan(parameters: Sequence[nn.Parameter], now: Sequence[Sequence[int]], earlier: Sequence[Sequence[int]],
              bucket_bytes: int) -> ReductionPlan:
    """Plan the reductions of a step from how often each parameter gets a gradient.

    A parameter's gradient is complete after the last source that reaches it. Within a source the parameters are taken
    in reverse, as a backward pass goes.

    Args:
        parameters (Sequence[Parameter]): All parameters.
        now (Sequence[Sequence[int]]): By source of this iteration, in its order: gradients by parameter.
        earlier (Sequence[Sequence[int]]): The same of iterations whose gradients are waiting (accumulation).
        bucket_bytes (int): About the size of a bucket.

    Returns:
        ReductionPlan: The plan.
    """
    last = {}
    for when, counts in [*((-1, counts) for counts in earlier), *enumerate(now)]:
        last.update({i: when for i, count in enumerate(counts) if count})
    buckets: list[list[int]] = []
    size, kind = 0, None
    for i in sorted(last, key=lambda i: (last[i], -i)):
        parameter = parameters[i]
        own_kind = (parameter.dtype, parameter.device)
        if not buckets or kind != own_kind or size >= bucket_bytes:
            buckets.append([])
            size, kind = 0, own_kind
        buckets[-1].append(i)
        size += parameter.numel() * parameter.element_size()
    expected = [sum(counts) for counts in zip(*now, strict=True)] if now else [0] * len(parameters)
    return ReductionPlan(expected, buckets)

