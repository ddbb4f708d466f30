"""One train step of a model with several sources."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Optional

import torch
from mmengine.optim import OptimWrapper
from torch import Tensor

from xlearner_mm.utils import Key, seed_all, timed

from .gradient_reducer import GradientReducer
from .label_check import check_annotations
from .micro_batches import micro_batches
from .non_finite_guard import loss_scale
from .source_gradients import SourceGradients
from .weighting import GradientWeighting, StaticWeighting

if TYPE_CHECKING:
    from .xlearner import XLearner

SMALLEST_SCALE = 1.0  # overflows at a scale below it are not the scale's fault


def train_step(model: XLearner, data: Mapping[str, Any], optim_wrapper: OptimWrapper, random_key: Sequence[Key],
               step: int, reducer: GradientReducer) -> dict[str, Tensor]:
    """Do a forward and a backward a source and micro-batch, one reduction, and one step of the optimizer (ours).

    With accumulated gradients (``optim_wrapper.accumulative_counts``) reduction and optimizer follow the last of the
    iterations; any source may be absent from any of them.

    Args:
        model (XLearner): The model.
        data (Mapping[str, dict]): ``{source: {'inputs': [Tensor (C, H, W), ...], 'data_samples': [...]}}``.
        optim_wrapper (OptimWrapper): Wrapper of the optimizer.
        random_key (Sequence): Key of the model's own randomness, see :meth:`XLearner.train_step`.
        step (int): Steps done in this phase.
        reducer (GradientReducer): What averages gradients over ranks.

    Returns:
        dict[str, Tensor]: Scalars to log; ``loss`` is the total.

    Raises:
        FloatingPointError: If too many steps were not finite.
    """
    if model.squeeze is not None:
        model.squeeze.step = step
    if optim_wrapper.inner_count % optim_wrapper._accumulative_counts == 0:
        model.guard.open(model)
        model.source_gradients = None
        if model.keep_gradients or model.weighting.needs_gradients:
            model.source_gradients = SourceGradients({n: p for n, p in model.named_parameters() if p.requires_grad})
    passes = {source: model.micro_batches[source] for source in data}
    reducer.begin(int(model.phase), passes, optim_wrapper.should_sync(), overlap=model.source_gradients is None)
    log_vars: dict[str, Tensor] = {}
    totals: dict[str, Tensor] = {}
    unweighted: dict[str, Tensor] = {}
    for source, batch in data.items():
        reducer.enter(source)
        if random_key:
            seed_all(*random_key, source)
        is_last = len(totals) + 1 == len(data)
        totals[source], unweighted[source], logged = _run_source(model, source, batch, optim_wrapper, is_last)
        log_vars.update(logged)
        model.guard.watch(source, totals[source], logged)
        if model.source_gradients is not None:
            model.source_gradients.take(source)
    model.weighting.after_step(unweighted)
    if optim_wrapper.should_update():
        _update(model, optim_wrapper, reducer)
    return dict(loss=torch.stack(list(totals.values())).sum(), **log_vars)


def _run_source(model: XLearner, source: str, batch: Mapping[str, Any], optim_wrapper: OptimWrapper,
                is_last: bool) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
    """Give the total of a source, that before the weighting, and its scalars, after its backward passes."""
    total: Any = 0  # no tensor of the CPU: to bring one to a device is to wait for the device
    unweighted: Any = 0
    log_vars: dict[str, Tensor] = {}
    parts = micro_batches(source, batch, model.micro_batches[source])
    for number, (part, share) in enumerate(parts, 1):
        with timed('forward', source), optim_wrapper.optim_context(model):
            processed = model.data_preprocessor({source: part}, True)
            check_annotations(source, part['data_samples'], model.branch(source))
            losses = model(**processed, mode='loss')
        before, weighted = _weigh(model, source, losses)
        loss, logged = model.parse_losses(weighted)
        with timed('backward', source):
            backward_source(optim_wrapper, loss if share == 1 else loss * share, is_last and number == len(parts))
        logged.pop('loss')
        total = total + share * loss.detach()
        unweighted = unweighted + share * (loss if before is None else before).detach()
        for key, value in logged.items():
            log_vars[key] = log_vars.get(key, 0) + (value.detach() if share == 1 else share * value.detach())
    return total, unweighted, log_vars


def _weigh(model: XLearner, source: str, losses: Mapping[str, Any]) -> tuple[Optional[Tensor], Mapping[str, Any]]:
    """Weigh a source's losses; give their total as it was, None if nothing changed, and what is back-propagated."""
    if type(model.weighting) is StaticWeighting:
        return None, losses
    prefix = f'{source}.'
    weighted = model.weighting.weigh(source, {key.removeprefix(prefix): value for key, value in losses.items()})
    return model.parse_losses(losses)[0], {prefix + key: value for key, value in weighted.items()}


def backward_source(optim_wrapper: OptimWrapper, loss: Tensor, counts: bool) -> None:
    """Back-propagate a source's loss.

    ``OptimWrapper.backward`` counts its calls to know when accumulated gradients are due; several sources are still
    one iteration, so only the last one may count.

    Args:
        optim_wrapper (OptimWrapper): Wrapper of the optimizer; scales the loss for accumulation and AMP.
        loss (Tensor): Scalar loss of the source.
        counts (bool): Whether this is the iteration's last backward.
    """
    count = optim_wrapper._inner_count
    optim_wrapper.backward(optim_wrapper.scale_loss(loss))
    if not counts:
        optim_wrapper._inner_count = count


def _update(model: XLearner, optim_wrapper: OptimWrapper, reducer: GradientReducer) -> None:
    """Reduce, look whether all is finite, and step."""
    guard = model.guard
    with timed('reduce'):
        flags = reducer.finish(guard.flags())
    broken, what = [s for s, flag in zip(guard.sources, flags, strict=True) if flag], 'loss'
    if not broken:
        _combine(model, optim_wrapper, reducer)
        broken, what = _overflow(model, optim_wrapper), 'gradient'
    if broken:
        optim_wrapper.zero_grad()
        model.source_gradients = None
        guard.skip(broken, what)
        return
    with timed('optimizer'):
        optim_wrapper.step()
        optim_wrapper.zero_grad()


def _combine(model: XLearner, optim_wrapper: OptimWrapper, reducer: GradientReducer) -> None:
    """Put gradients together that were kept apart."""
    if model.source_gradients is not None:
        with timed('reduce'):
            model.source_gradients.average(reducer)
        scaler = getattr(optim_wrapper, 'loss_scaler', None)
        aggregate = model.weighting.aggregate if isinstance(model.weighting, GradientWeighting) else None
        model.source_gradients.combine(aggregate, 1.0 if scaler is None else float(scaler.get_scale()))


def _overflow(model: XLearner, optim_wrapper: OptimWrapper) -> list[str]:
    """Sources with gradients that are not finite, unless the scale of fp16 is too large, which lowers itself."""
    parameters = [p for group in optim_wrapper.param_groups for p in group['params']]
    broken = model.guard.broken_gradients(parameters, {source: model.branch(source) for source in model.tasks})
    scale = loss_scale(optim_wrapper) if broken else None
    return [] if scale is not None and scale > SMALLEST_SCALE else broken
