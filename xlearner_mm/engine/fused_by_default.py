"""Whether an optimizer runs fused."""

import inspect
from collections.abc import Collection

import torch

_OWN_CHOICE = frozenset(('fused', 'foreach', 'capturable', 'differentiable'))


def fused_by_default(optimizer: type, options: Collection[str], devices: Collection[torch.device],
                     floating: bool = True) -> bool:
    """Decide whether an optimizer of torch should run fused (ours).

    On GPUs torch itself takes ``foreach``, several kernels a step where a fused one does it in one; its default stays
    on a CPU, and where a user has set anything about it.

    Args:
        optimizer (type): Class of the optimizer.
        options (Collection[str]): Names of the options that a user sets.
        devices (Collection[torch.device]): Devices of the parameters.
        floating (bool): Whether all parameters are floating point, as fused kernels want.

    Returns:
        bool: Whether to set ``fused=True``.
    """
    return (floating and {device.type for device in devices} == {'cuda'} and _OWN_CHOICE.isdisjoint(options)
            and optimizer.__module__.startswith('torch.optim.') and 'fused' in inspect.signature(optimizer).parameters)
