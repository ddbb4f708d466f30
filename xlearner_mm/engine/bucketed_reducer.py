"""Gradients averaged over the ranks while the backward passes go on."""

from collections.abc import Mapping, Sequence
from typing import Any, Optional

import torch
import torch.distributed as dist
from mmengine.dist import all_reduce
from torch import Tensor, nn

from xlearner_mm.models import GradientReducer

from .flat_average import FlatAverage
from .reduction_plan import ReductionPlan, make_plan
from .source_agreement import SourceAgreement

_MOST_PLANS = 1000  # of schedules with many sources, whose combinations may never end
Part = tuple[int, str, int]  # phase, source, backward passes of it


class BucketedReducer(GradientReducer):
    """Average each gradient over the ranks once a step, as soon as its last part of the step is there (ours).

    Which parameters a source reaches is learned at the first step that has it; all ranks agree on it. From then on
    buckets of gradients are copied and sent as they get complete, always in the same order. What a rank did not expect
    (a parameter that a source had never reached) is found at the end of the step on any rank, and all gradients are
    averaged anew then: such a step is slower, and right.

    Args:
        parameters (Sequence[Parameter]): All parameters of the model, frozen ones too.
        sources (Sequence[str]): All sources.
        bucket_mb (float): The most that a bucket holds, in MiB, unless a single parameter is larger.
        dtype (torch.dtype, optional): Data type of the messages; None for that of the gradients.

    Attributes:
        reduced_bytes (int): Bytes of gradients that were averaged in the last step.
        overlapped (int): Buckets of the last step that were sent before its backward passes were over.
    """

    def __init__(self, parameters: Sequence[nn.Parameter], sources: Sequence[str], bucket_mb: float = 25,
                 dtype: Optional[torch.dtype] = None) -> None:
        self._parameters = list(parameters)
        self._bucket_bytes = int(bucket_mb * 2**20)
        self._dtype = dtype
        self._agreement = SourceAgreement(sources)
        # Of its own: a rank that does not reach a parameter sends its bucket later, after messages of forward passes
        # (SyncBN, numbers of positives) that the other ranks send before it. Within a group the order must be the same.
        self._group: Any = dist.new_group()
        self._hooked: set[int] = set()
        self._usage: dict[Part, list[int]] = {}
        self._plans: dict[tuple[tuple[Part, ...], tuple[Part, ...]], ReductionPlan] = {}
        self._waiting: list[Part] = []  # parts whose gradients pile up
        self._seen: list[tuple[Part, list[int]]] = []  # gradients that they gave, by parameter
        self._plan: Optional[ReductionPlan] = None
        self._sent: list[FlatAverage] = []
        self.reduced_bytes = self.overlapped = 0

    def begin(self, phase: int, passes: Mapping[str, int], updates: bool, overlap: bool = True) -> None:
        """See :meth:`GradientReducer.begin`."""
        self._add_hooks()
        now = [(phase, source, number) for source, number in passes.items()]
        self._now = {source: (phase, source, number) for source, number in passes.items()}
        self._counts = [0] * len(self._parameters)
        self._plan, self._late, self._updates = None, False, updates and self.synced
        if self._updates:
            self.reduced_bytes = self.overlapped = 0
            self._agreement.start([*self._waiting, *now])
            if overlap and all(part in self._usage for part in (*self._waiting, *now)):
                self._open(now)
        self._waiting += now

    def _open(self, now: Sequence[Part]) -> None:
        """Get ready to send buckets."""
        key = tuple(now), tuple(dict.fromkeys(self._waiting))
        if key not in self._plans:
            if len(self._plans) >= _MOST_PLANS:
                self._plans.clear()
            self._plans[key] = make_plan(self._parameters, [self._usage[p] for p in now],
                                         [self._usage[p] for p in key[1]], self._bucket_bytes)
        self._plan = self._plans[key]
        self._missing = [sum(self._plan.expected[i] > 0 for i in bucket) for bucket in self._plan.buckets]

    def enter(self, source: str) -> None:
        """See :meth:`GradientReducer.enter`."""
        self._own = [0] * len(self._parameters)
        self._seen.append((self._now[source], self._own))

    def _add_hooks(self) -> None:
        """Watch the parameters that are trained in this phase."""
        for i, parameter in enumerate(self._parameters):
            if parameter.requires_grad and i not in self._hooked:
                self._hooked.add(i)
                parameter.register_post_accumulate_grad_hook(lambda _, place=i: self._on_gradient(place))

    def _on_gradient(self, i: int) -> None:
        """Count a gradient, and send the bucket that it completes."""
        self._own[i] += 1
        plan = self._plan
        if plan is None:
            return
        self._counts[i] += 1
        if self._counts[i] > plan.expected[i]:
            self._late = True
        elif self._counts[i] == plan.expected[i]:
            self._missing[plan.bucket_of[i]] -= 1
            while len(self._sent) < len(plan.buckets) and self._missing[len(self._sent)] == 0:
                self._send(plan)
                self.overlapped += 1

    def _send(self, plan: ReductionPlan) -> None:
        self._agreement.check()
        bucket = [self._parameters[i] for i in plan.buckets[len(self._sent)]]
        self._sent.append(FlatAverage([p.grad for p in bucket], bucket, self._dtype, self._group))

    def finish(self, flags: Tensor) -> list[int]:
        """See :meth:`GradientReducer.finish`.

        Raises:
            RuntimeError: If the iteration was begun without an update of the optimizer, or the ranks differ.
        """
        if not self._updates:
            raise RuntimeError('The optimizer would step with gradients that were not averaged: this train step was '
                               'done inside of no_sync(). Leave it before the last iteration that is accumulated.')
        self._agreement.check()
        plan, own = self._plan, [p.grad is not None for p in self._parameters]
        if plan is not None:
            while len(self._sent) < len(plan.buckets):
                self._send(plan)
            self._late |= any(has and i not in plan.bucket_of for i, has in enumerate(own))
        message = torch.cat([flags.int(), torch.tensor([self._late, *own], dtype=torch.int32).to(flags.device)])
        all_reduce(message, 'max')
        raised, (late, *used) = message[:len(flags)].tolist(), message[len(flags):].tolist()
        averages = [tensor for average in self._sent for tensor in average.wait()]
        self.reduced_bytes += sum(average.nbytes for average in self._sent)
        if not any(raised):
            if plan is None or late:
                self._average_all([i for i, is_used in enumerate(used) if is_used])
            else:
                self._write([i for bucket in plan.buckets for i in bucket], averages, used)
        if late or any(part not in self._usage for part, _ in self._seen):
            self._learn(flags.device)
        self._waiting, self._seen, self._sent, self._plan = [], [], [], None
        return raised

    def _average_all(self, places: Sequence[int]) -> None:
        """Average the gradients of some parameters after all backward passes."""
        counts = [0] * len(self._parameters)
        for i in places:
            counts[i] = 1
        buckets = make_plan(self._parameters, [counts], [], self._bucket_bytes).buckets
        sent = [FlatAverage([self._parameters[i].grad for i in bucket], [self._parameters[i] for i in bucket],
                            self._dtype, self._group) for bucket in buckets]
        for bucket, average in zip(buckets, sent, strict=True):
            self._write(bucket, average.wait(), [1] * len(self._parameters))
        self.reduced_bytes += sum(average.nbytes for average in sent)

    def _write(self, places: Sequence[int], averages: Sequence[Tensor], used: Sequence[int]) -> None:
        """Put averages into the parameters; one that no rank used keeps no gradient, as on one process."""
        for i, average in zip(places, averages, strict=True):
            parameter = self._parameters[i]
            # A part of the message itself, where it has the right type: no copy, and the rank's own gradient is let go.
            parameter.grad = average.to(parameter.dtype) if used[i] else None

    def _learn(self, device: torch.device) -> None:
        """Agree with the other ranks on the parameters that the sources reach."""
        counts = torch.tensor([counts for _, counts in self._seen], dtype=torch.int32, device=device)
        all_reduce(counts, 'max')
        for (part, _), seen in zip(self._seen, counts.tolist(), strict=True):
            known = self._usage.get(part, [0] * len(seen))
            self._usage[part] = [max(pair) for pair in zip(known, seen, strict=True)]
        self._plans = {}

    def average(self, gradients: Sequence[Optional[Tensor]], like: Sequence[Tensor]) -> list[Optional[Tensor]]:
        """See :meth:`GradientReducer.average`."""
        used = torch.tensor([g is not None for g in gradients], dtype=torch.int32, device=like[0].device)
        all_reduce(used, 'max')
        places = [i for i, is_used in enumerate(used.tolist()) if is_used]
        result: list[Optional[Tensor]] = [None] * len(gradients)
        if places:
            whole = FlatAverage([gradients[i] for i in places], [like[i] for i in places], self._dtype, self._group)
            self.reduced_bytes += whole.nbytes
            for i, value in zip(places, whole.wait(), strict=True):
                result[i] = value.to(like[i].dtype)
        return result
