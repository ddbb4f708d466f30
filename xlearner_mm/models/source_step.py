"""The parts of a train step that concern one source."""

from collections.abc import Mapping
from typing import Any

import torch
from mmengine.dist import all_reduce
from mmengine.model import BaseModel
from mmengine.optim import OptimWrapper
from torch import Tensor

from .normalisation import Normalisation
from .squeeze import Squeezer


def weigh_losses(losses: Mapping[str, Any], weight: float) -> dict[str, Any]:
    """Weigh what is back-propagated; leave alone what is only logged (ours).

    Args:
        losses (Mapping[str, Tensor or list[Tensor]]): What a stock model returns in mode ``loss``.
        weight (float): Weight of the source.

    Returns:
        dict[str, Tensor or list[Tensor]]: The same keys.
    """

    def _weigh(key: str, value: Any) -> Any:
        if 'loss' not in key or weight == 1:
            return value
        return [v * weight for v in value] if isinstance(value, (list, tuple)) else value * weight

    return {key: _weigh(key, value) for key, value in losses.items()}


def squeeze_losses(squeeze: Squeezer, branch: BaseModel, task: str, inputs: Tensor,
                   data_samples: Any) -> dict[str, Any]:
    """Give the losses of a source in the squeeze phase: supervised ones and hints (ours).

    Args:
        squeeze (Squeezer): The squeeze stage.
        branch (BaseModel): The source's stock model.
        task (str): Task of the source.
        inputs (Tensor): Images of shape ``(N, 3, H, W)``.
        data_samples (list): Stock data samples.

    Returns:
        dict[str, Tensor or list[Tensor]]: By key.
    """
    supervised = squeeze.supervised.at(squeeze.step)
    losses: dict[str, Any] = {}
    with squeeze.recording() as passes:
        if supervised > 0:
            losses = weigh_losses(branch(inputs, data_samples, mode='loss'), supervised)
        else:
            squeeze(inputs, task, last=0)
    normalisation = Normalisation.none()
    if squeeze.teachers.external:
        normalisation = normalisation.then_by(branch.data_preprocessor)
    for images, features in passes:
        for key, value in squeeze.hint_losses(images, features, task, normalisation).items():
            losses[key] = losses.get(key, 0) + value / len(passes)
    return losses


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


def check_finite(totals: Mapping[str, Tensor], log_vars: Mapping[str, Tensor]) -> None:
    """Stop before a step that would put NaN into the weights. One comparison for all sources and ranks.

    Args:
        totals (Mapping[str, Tensor]): Scalar loss by source.
        log_vars (Mapping[str, Tensor]): Scalars of all sources, ``<source>.<key>``.

    Raises:
        FloatingPointError: If a loss is not finite.
    """
    broken = (~torch.isfinite(torch.stack(list(totals.values())))).int()
    all_reduce(broken, 'max')  # all ranks stop together: one that stopped alone would leave the others waiting
    bad = [source for source, flag in zip(totals, broken.tolist(), strict=True) if flag]
    if bad:
        parts = {key: float(value) for key, value in log_vars.items() if key.split('.', 1)[0] in bad}
        here = any(not torch.isfinite(totals[source]) for source in bad)
        where = '' if here else ' on another rank; here'
        raise FloatingPointError(
            f'The loss of source {", ".join(map(repr, bad))} is not finite{where}: {parts}. The step was not applied '
            'and the checkpoints are as they were: resume from one with finite weights, with a lower learning rate, '
            'gradient clipping (optim_wrapper.clip_grad) or a lower loss_weight, or look for bad labels in the batch.')
