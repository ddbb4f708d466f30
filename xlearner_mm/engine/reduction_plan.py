"""Which gradients are averaged together, and when they are complete."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from torch import nn

LAST_PART = 8  # the last bucket is about such a part of the others: no backward pass goes on while it is sent


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
    in reverse, as a backward pass goes. The last bucket is small.

    Args:
        parameters (Sequence[Parameter]): All parameters.
        now (Sequence[Sequence[int]]): By source of this iteration, in its order: gradients by parameter.
        earlier (Sequence[Sequence[int]]): The same of iterations whose gradients are waiting (accumulation).
        bucket_bytes (int): The most that a bucket holds, unless a single parameter is larger.

    Returns:
        ReductionPlan: The plan.
    """
    last = {}
    for when, counts in [*((-1, counts) for counts in earlier), *enumerate(now)]:
        last.update({i: when for i, count in enumerate(counts) if count})
    buckets = _fill(parameters, sorted(last, key=lambda i: (last[i], -i)), bucket_bytes)
    expected = [sum(counts) for counts in zip(*now, strict=True)] if now else [0] * len(parameters)
    return ReductionPlan(expected, buckets)


def _fill(parameters: Sequence[nn.Parameter], order: Sequence[int], bucket_bytes: int) -> list[list[int]]:
    """Part an order into buckets of one data type and device, from its end."""
    buckets: list[list[int]] = []
    size, kind = 0, None
    for i in reversed(order):
        parameter = parameters[i]
        own_kind = (parameter.dtype, parameter.device)
        own_size = parameter.numel() * parameter.element_size()
        limit = bucket_bytes if len(buckets) > 1 else bucket_bytes / LAST_PART
        if not buckets or kind != own_kind or size + own_size > limit:
            buckets.append([])
            size, kind = 0, own_kind
        buckets[-1].append(i)
        size += own_size
    return [bucket[::-1] for bucket in buckets[::-1]]

